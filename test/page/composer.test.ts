import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { lastUserText } from "../support/openai-server.ts";
import { faults } from "./axe.ts";
import { describeInBrowser } from "./browser.ts";
import { composer, gate, openStage, redSquare, say, type Stage } from "./stage.ts";

describeInBrowser("where messages are written", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ MODELS_DEFAULT_MODEL: "small" }, undefined, [
      "small",
      "large",
      "nomic-embed-text",
    ]);
  }, 120_000);
  afterAll(() => stage?.close());

  const bottom = (page: Page) => page.locator(".composer");
  const options = (page: Page, label: string) =>
    bottom(page).getByLabel(label, { exact: true }).locator("option").allInnerTexts();

  /** A conversation whose reply does not end before the gate is opened. */
  const running = async (page: Page) => {
    const rest = gate();
    stage.model.enqueue({
      tokens: ["begun ", "and ended"],
      pace: (at) => (at === 1 ? rest.opened : undefined),
    });
    await say(page, "the first");
    await page.locator(".message.streaming", { hasText: "begun" }).waitFor();
    return rest;
  };

  test("the model is chosen among those that chat; the next reply is its, and says so", async () => {
    const { page, context, incidents } = await stage.visit({ user: "chooser" });
    await bottom(page).getByLabel("Model", { exact: true }).waitFor();
    assert.deepEqual(await options(page, "Model"), ["small", "small", "large"]);
    await say(page, "to the agent's own");
    await page.locator(".message.assistant .model-name", { hasText: "small" }).waitFor();
    // What is sent at once after the choice is answered by the one chosen, however long it takes to tell it.
    const told = gate();
    await page.route("**/sessions/*", async (route) => {
      if (route.request().method() === "PATCH") await told.opened;
      await route.fallback();
    });
    await bottom(page).getByLabel("Model", { exact: true }).selectOption("large");
    await say(page, "to the other");
    await page.locator(".message.pending", { hasText: "to the other" }).waitFor();
    told.open();
    await page.locator(".message.assistant .model-name", { hasText: "large" }).waitFor();
    assert.equal(stage.model.requests.at(-1)?.body["model"], "large");
    assert.deepEqual(await faults(page), []);
    // Another tab has it too.
    const other = await context.newPage();
    await other.goto(page.url());
    await other.locator(".model-name", { hasText: "large" }).waitFor();
    assert.equal(await bottom(other).getByLabel("Model", { exact: true }).inputValue(), "large");
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("a choice that cannot be told is taken back, and said", async () => {
    const { page, context } = await stage.visit({ user: "unlucky" });
    await say(page, "hello");
    await page.locator(".message.complete.assistant").waitFor();
    await context.setOffline(true);
    await bottom(page).getByLabel("Model", { exact: true }).selectOption("large");
    await page.locator(".notice.error").waitFor();
    assert.equal(await bottom(page).getByLabel("Model", { exact: true }).inputValue(), "");
    await context.close();
  });

  const whileBusy = [
    {
      choice: "Wait its turn",
      sent: "enqueue",
      after: async (page: Page, rest: { open(): void }) => {
        await page.locator(".message.queued").waitFor();
        rest.open();
        await page.locator(".message.complete", { hasText: "begun and ended" }).waitFor();
      },
    },
    {
      choice: "Answer with what waits",
      sent: "merge",
      after: async (page: Page, rest: { open(): void }) => {
        await page.locator(".message.queued").waitFor();
        await say(page, "and a third");
        await page.locator(".message.user .bubble", { hasText: "and a third" }).waitFor();
        rest.open();
        await page.locator(".message.complete", { hasText: "and a third" }).waitFor();
        assert.equal(await page.locator(".message.assistant").count(), 2);
      },
    },
    {
      choice: "Tell it now",
      sent: "steer",
      after: async (page: Page, rest: { open(): void }) => {
        await page.locator(".message.user .bubble", { hasText: "the second" }).waitFor();
        rest.open();
      },
    },
    {
      choice: "Stop it, answer this",
      sent: "interrupt",
      after: async (page: Page) => {
        await page.locator(".message.cancelled", { hasText: "begun" }).waitFor();
      },
    },
    {
      choice: "Ask this instead",
      sent: "rollback",
      after: async (page: Page) => {
        await page
          .locator(".message.user", { hasText: "the first" })
          .waitFor({ state: "detached" });
        await page.locator(".message.user .versions", { hasText: "2/2" }).waitFor();
      },
    },
  ] as const;

  test.each(whileBusy)("while a reply is made: $choice", async ({ choice, sent, after }) => {
    const { page, context, incidents } = await stage.visit();
    assert.equal(await bottom(page).getByLabel("While a reply is made").count(), 0);
    const rest = await running(page);
    await bottom(page).getByLabel("While a reply is made").selectOption(choice);
    const request = page.waitForRequest((each) => each.url().endsWith("/chat/message/stream"));
    await say(page, "the second");
    const body = (await request).postDataJSON() as { on_busy?: string };
    assert.equal(body.on_busy, sent);
    await after(page, rest);
    rest.open();
    await page.locator(".message.assistant.complete", { hasText: "You said:" }).last().waitFor();
    await page
      .locator(".message.streaming, .message.queued")
      .first()
      .waitFor({ state: "detached" });
    assert.equal(await page.locator(".pending").count(), 0);
    assert.equal(await page.locator(".notice.error").count(), 0);
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("what is not to be sent while a reply is made stays, and goes out when told to", async () => {
    const { page, context } = await stage.visit();
    const rest = await running(page);
    await bottom(page).getByLabel("While a reply is made").selectOption("Do not send");
    await say(page, "the second");
    const refused = page.locator(".pending", { hasText: "the second" });
    await refused.locator(".message-note.bad").waitFor();
    rest.open();
    await page.locator(".message.complete", { hasText: "begun and ended" }).waitFor();
    await refused.getByText("Send again").click();
    await page.locator(".message.complete", { hasText: "You said: the second" }).waitFor();
    await context.close();
  });

  test("Escape stops the reply, but not while it has something else to close", async () => {
    const { page, context } = await stage.visit();
    const rest = await running(page);
    await page.locator(".message.user").getByLabel("Edit the message").click();
    await page.keyboard.press("Escape");
    await page.locator(".edit-message").waitFor({ state: "detached" });
    await page.keyboard.press("Control+k");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(await page.locator(".message.streaming").count(), 1);
    await page.keyboard.press("Escape");
    await page.locator(".message.cancelled", { hasText: "begun" }).waitFor();
    rest.open();
    await context.close();
  });

  test("files that take a while say how much of them has gone, and arrive once", async () => {
    const { page, context } = await stage.visit();
    await bottom(page).locator("input[type=file]").waitFor({ state: "attached" });
    // A picture with much behind its end.
    const large = Buffer.concat([redSquare, Buffer.alloc(600 * 1024)]);
    const network = await context.newCDPSession(page);
    const conditions = { offline: false, latency: 0, downloadThroughput: -1 };
    await network.send("Network.enable");
    await network.send("Network.emulateNetworkConditions", {
      ...conditions,
      uploadThroughput: 300 * 1024,
    });
    await page
      .locator("input[type=file]")
      .setInputFiles({ name: "red.png", mimeType: "image/png", buffer: large });
    await page.getByLabel("Remove red.png").waitFor();
    await say(page, "what is this?");
    await page
      .locator(".pending progress")
      .and(page.locator("progress:not([value='0'])"))
      .waitFor();
    await page.locator(".message.assistant.complete").waitFor();
    assert.equal(await page.locator(".message.user").count(), 1);
    assert.equal(await page.locator(".pending").count(), 0);
    const asked = stage.model.requests.filter((each) => lastUserText(each).includes("what is"));
    assert.equal(asked.length, 1);
    await context.close();
  });

  test("what is written is there after a reload, in both languages, at 390", async () => {
    for (const locale of ["en-US", "zh-CN"]) {
      const { page, context } = await stage.visit({
        locale,
        viewport: { width: 390, height: 800 },
      });
      await bottom(page).locator("select").first().waitFor();
      await composer(page).fill("half");
      const rest = await running(page);
      await composer(page).fill("half a thought");
      await page.reload();
      await page.locator(".message.streaming").waitFor();
      assert.equal(await composer(page).inputValue(), "half a thought");
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= 390, `${wide} px wide`);
      const box = await bottom(page).locator(".send").boundingBox();
      assert.ok(box !== null && box.x + box.width <= 390 && box.x >= 0, JSON.stringify(box));
      assert.deepEqual(await faults(page), []);
      rest.open();
      await context.close();
    }
  });

  test("a text that is too long goes along as a file, and a question is asked of it", async () => {
    const { page, context, incidents } = await stage.visit({ user: "author" });
    const long = "word ".repeat(2_100).trim();
    await bottom(page).locator("input[type=file]").waitFor({ state: "attached" });
    await composer(page).fill(long);
    await bottom(page)
      .getByText(`${long.length - 10_000} characters too many`)
      .waitFor();
    assert.deepEqual(await faults(page), []);
    await bottom(page).getByRole("button", { name: "Attach it as a file" }).click();
    await page.getByLabel("Remove message.txt").waitFor();
    assert.equal(await composer(page).inputValue(), "");
    await say(page, "sum it up");
    await page.locator(".message.assistant.complete").waitFor();
    const sent = stage.model.requests.findLast((each) => lastUserText(each).includes("sum it up"));
    assert.ok(sent !== undefined && JSON.stringify(sent.body).includes(long));
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("what was said of files that are not taken goes with the next ones", async () => {
    const { page, context } = await stage.visit({ user: "chooser of files" });
    const input = bottom(page).locator("input[type=file]");
    await input.waitFor({ state: "attached" });
    await input.setInputFiles({
      name: "empty.png",
      mimeType: "image/png",
      buffer: Buffer.alloc(0),
    });
    await page.locator(".notice.error", { hasText: "empty.png" }).waitFor();
    await input.setInputFiles({ name: "red.png", mimeType: "image/png", buffer: redSquare });
    await page.getByLabel("Remove red.png").waitFor();
    assert.equal(await page.locator(".notice.error").count(), 0);
    await context.close();
  });
});
