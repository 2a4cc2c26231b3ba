import { createParser } from "eventsource-parser";
import { assert, property, array, constantFrom, nat } from "fast-check";
import { expect, it } from "vitest";
import { ConnectionError } from "./errors.ts";
import { createEventParser, readEvents } from "./event-stream.ts";

/** As a parser that is widely used reads it; it forgets ids, which in the standard hold for later events too. */
function dataOf(text: string): string[] {
  const found: string[] = [];
  createParser({ onEvent: ({ data }) => found.push(data) }).feed(text);
  return found;
}

it("reads what every other parser reads, however it was cut", () => {
  const pieces = constantFrom("id: 1", "id:2", "data: x", "data:", "data", ": hush", "\n", "\n\n");
  const more = constantFrom(
    "event: no",
    "retry: 5",
    "data: é🙂",
    "id: \0",
    "\r\n",
    "\r\n\r\n",
    ":",
  );
  assert(
    property(array(pieces, { maxLength: 30 }), array(more), nat(7), (some, others, step) => {
      const text = [...some, ...others, ...some].join("\n").concat("\n\n");
      const parse = createEventParser();
      const events = [];
      for (let at = 0; at < text.length; at += step + 1) {
        events.push(...parse(text.slice(at, at + step + 1)));
      }
      expect(events).toEqual(createEventParser()(text));
      expect(events.map(({ data }) => data)).toEqual(dataOf(text));
    }),
  );
});

it("has an id hold until another one comes", () => {
  const ids = createEventParser()("id: 1\ndata: a\n\ndata: b\n\nid: 2\n\ndata: c\n\n");
  expect(ids.map(({ id }) => id)).toEqual(["1", "1", "2"]);
});

it("takes CR alone for an end, and leaves a mark of byte order out", () => {
  expect(createEventParser()("\uFEFFdata: a\r\rdata: b\r\n\r\n")).toEqual([
    { id: "", data: "a" },
    { id: "", data: "b" },
  ]);
});

const reading = { signal: undefined, silenceMs: 20 };
const body = (start: (controller: ReadableStreamDefaultController<Uint8Array>) => void) =>
  new Response(new ReadableStream({ start }));
const bytes = (text: string) => new TextEncoder().encode(text);

async function all(response: Response) {
  const seen = [];
  for await (const item of readEvents(response, reading)) seen.push(item);
  return seen;
}

it("ends with its connection, and says when nothing more will come", async () => {
  const whole = bytes('id: 1\ndata: {"é":1}\n\ndata: [DONE]\n\n');
  const response = body((controller) => {
    for (const byte of whole) controller.enqueue(new Uint8Array([byte]));
    controller.close();
  });
  expect(await all(response)).toEqual([{ id: 1, event: { é: 1 } }, null]);
});

it("takes silence and a broken connection for a loss", async () => {
  const silent = body((controller) => controller.enqueue(bytes(": hush\n")));
  // What is silent is cut off; that it was no end is for its reader to know.
  expect(await all(silent)).toEqual([]);
  const broken = body((controller) => controller.error(new Error("reset")));
  await expect(all(broken)).rejects.toBeInstanceOf(ConnectionError);
  await expect(all(new Response(null))).rejects.toBeInstanceOf(ConnectionError);
});
