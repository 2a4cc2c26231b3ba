import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, test } from "vitest";
import { faults } from "./axe.ts";
import { chatGptConversation } from "../support/foreign-exports.ts";
import { describeInBrowser } from "./browser.ts";
import { openStage, say, type Stage, type Visit } from "./stage.ts";

/** What the page saves when this is chosen in the menu that is open. */
async function saved({ page }: Visit, item: string) {
  const coming = page.waitForEvent("download");
  await page.getByRole("menuitem", { name: item }).click();
  const download = await coming;
  return {
    name: download.suggestedFilename(),
    text: await readFile(await download.path(), "utf8"),
  };
}

describeInBrowser("what goes out of the page and comes into it", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.close());

  test("a link is made from the menu, read by somebody else, and ended", async () => {
    const { page, context, incidents } = await stage.visit({ user: "sharer" });
    stage.model.enqueue({
      tokens: [
        "**one** <b>two</b> ![p](https://example.org/p.png)\n\n- [x] done\n\n|a|b|\n|-|-|\n|1|2|",
      ],
    });
    await say(page, "first <b>question</b>");
    await page.locator(".message.assistant.complete").waitFor();
    await page.locator(".session-menu button").first().click();
    await page.getByRole("menuitem", { name: "Share…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Make a link" }).click();
    const link = dialog.getByRole("textbox", { name: "Link" });
    await link.waitFor();
    assert.deepEqual(await faults(page), []);
    await dialog.getByRole("button", { name: "Copy the link" }).click();
    await dialog.getByRole("button", { name: "Copied" }).waitFor();
    const url = await link.inputValue();

    const other = await stage.visit({ user: "reader" });
    const shown = await other.page.goto(url);
    assert.equal(shown?.status(), 200);
    await other.page.getByText("first <b>question</b>", { exact: true }).last().waitFor();
    await other.page.locator("strong").getByText("one", { exact: true }).waitFor();
    assert.deepEqual(await faults(other.page), []);
    assert.deepEqual(other.incidents, []);

    await dialog.getByRole("button", { name: "End this link" }).click();
    await link.waitFor({ state: "detached" });
    assert.equal((await other.page.reload())?.status(), 404);
    assert.deepEqual(incidents, []);
    await other.context.close();
    await context.close();
  });

  test("conversations are saved as text, whole, and all of them, and what was saved comes in elsewhere", async () => {
    const out = await stage.visit({ user: "taker" });
    stage.model.enqueue({ tokens: ["*an answer*"] });
    await say(out.page, "to be <i>kept</i>");
    await out.page.locator(".message.assistant.complete").waitFor();
    const ofSession = out.page.locator(".session-menu button").first();
    const ofAll = out.page.getByRole("button", { name: "Settings", exact: true });

    await ofSession.click();
    const text = await saved(out, "Save as text");
    assert.match(text.name, /\.md$/);
    assert.match(text.text, /\*an answer\*/);
    await ofSession.click();
    const whole = await saved(out, "Save whole");
    assert.match(whole.name, /\.json$/);
    const document = JSON.parse(whole.text) as { messages: { content: string }[] };
    assert.deepEqual(
      document.messages.map(({ content }) => content),
      ["to be <i>kept</i>", "*an answer*"],
    );
    await ofAll.click();
    const all = await saved(out, "Save all conversations");
    assert.match(all.name, /\.jsonl$/);
    assert.equal(all.text.trimEnd().split("\n").length, 1);
    assert.deepEqual(out.incidents, []);
    await out.context.close();

    const into = await stage.visit({ user: "bringer" });
    const { page } = into;
    await page.getByRole("button", { name: "Settings", exact: true }).click();
    await page.getByRole("menuitem", { name: "Import conversations" }).click();
    const dialog = page.getByRole("dialog");
    const choose = (name: string, content: string) =>
      dialog
        .getByLabel("File with conversations")
        .setInputFiles({ name, mimeType: "application/json", buffer: Buffer.from(content) });
    await choose("broken.json", '[{"title": "<img src=x onerror=alert(1)>"');
    await dialog.locator(".error-text").waitFor();
    assert.deepEqual(await faults(page), []);
    await choose(all.name, all.text);
    await dialog.getByText("Imported 1, added to 0, already there 0, failed 0.").waitFor();
    await choose("again.jsonl", all.text);
    await dialog.getByText("Imported 0, added to 0, already there 1, failed 0.").waitFor();
    const bad = { ...chatGptConversation({ number: 1, turns: 1 }), title: "<b>bad</b>" };
    // What others are answers to.
    delete bad.mapping["1-q0"];
    const good = chatGptConversation({ number: 2, turns: 1 });
    await choose("some.json", JSON.stringify([bad, good]));
    await dialog.getByText("Imported 1, added to 0, already there 0, failed 1.").waitFor();
    await dialog.getByRole("listitem").filter({ hasText: bad.title }).waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.locator(".session-menu").nth(1).waitFor();
    await page.getByText("to be <i>kept</i>").first().click();
    await page.locator(".message.assistant").getByText("an answer", { exact: true }).waitFor();
    assert.deepEqual(into.incidents, []);
    await into.context.close();
  });
});
