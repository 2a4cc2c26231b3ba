import { expect, it } from "vitest";
import { isAbout } from "./side-request.ts";

const asked = "Which harbour is the oldest?";
const task =
  "### Task:\nGenerate a concise title that sums up the chat history, in 2 to 4 words.\n";

it.each([
  ["a line of its own", `${task}<chat_history>\nUSER: ${asked}\nASSISTANT: \n</chat_history>`],
  ["between marks", `${task}<user>${asked}</user>`],
  ["between quotes", `${task}The user has said "${asked}".`],
  ["in JSON", `${task}${JSON.stringify([{ role: "user", content: asked }])}`],
  ["at its end", `${task}User: ${asked}`],
])("a prompt that quotes a message is about it: %s", (_, text) => {
  expect(isAbout(text, asked)).toBe(true);
});

it("quotes the beginning of a long one", () => {
  const long = `${asked} `.repeat(40);
  expect(isAbout(`${task}USER: ${long.slice(0, 250)}…`, long)).toBe(true);
});

it.each([
  ["the same", asked],
  ["longer on the same line", `${asked} ${"I mean one that ships still call at. ".repeat(4)}`],
  ["a part of other words", `${task}USER: Tell me: ${asked}er than the others`],
  ["something else", `${task}USER: Which bridge is the oldest?\nASSISTANT: `],
])("who says it otherwise is not: %s", (_, text) => {
  expect(isAbout(text, asked)).toBe(false);
});

it("short ones have to stand alone too", () => {
  expect(isAbout(`${task}USER: Hi\nASSISTANT: `, "Hi")).toBe(true);
  expect(isAbout(`${task}This is Hi with much else`, "Hi")).toBe(false);
  expect(isAbout(task, "")).toBe(false);
});
