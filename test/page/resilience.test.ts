import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { freePort } from "../support/backends.ts";
import { createClient } from "../support/client.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { startOpenAiServer } from "../support/openai-server.ts";
import { createDataDir, startService } from "../support/start-service.ts";
import { describeInBrowser } from "./browser.ts";
import { composer, gate, openStage, redSquare, say, until, visit, type Stage } from "./stage.ts";

const words = Array.from({ length: 40 }, (_, index) => `word${index} `);
const all = words.join("").trim();

/** What the page shows as the reply. */
const replyText = (page: Page) => page.locator(".message.assistant .markdown").last().innerText();

/** Where the browser keeps files. */
const keptPlaces = (page: Page) =>
  page.evaluate(
    () =>
      new Promise<string[]>((resolve, reject) => {
        const opening = indexedDB.open("chat-service");
        opening.addEventListener("error", () => reject(new Error("no files are kept")));
        opening.addEventListener("success", () => {
          const keys = opening.result.transaction("files").objectStore("files").getAllKeys();
          keys.addEventListener("success", () => {
            opening.result.close();
            resolve(keys.result.map(String));
          });
        });
      }),
  );

describeInBrowser("nothing is lost", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.close());

  test("what is sent before it is known who the user is waits for that", async () => {
    const { page, context, incidents } = await stage.visit({ path: "/docs" });
    const known = gate();
    await context.route("**/health/config", async (route) => {
      await known.opened;
      await route.continue();
    });
    await page.goto(stage.service.url);
    let isSent = false;
    page.on("request", (request) => (isSent ||= request.url().endsWith("/chat/message/stream")));
    stage.model.enqueue({ tokens: ["At ", "once"] });
    await say(page, "in a hurry");
    await page.locator(".message.pending", { hasText: "in a hurry" }).waitFor();
    assert.equal(isSent, false);
    known.open();
    await page.locator(".message.complete.assistant", { hasText: "At once" }).waitFor();
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("a reply goes on after a reload in its middle", async () => {
    const { page, context, incidents } = await stage.visit();
    const rest = gate();
    stage.model.enqueue({
      tokens: words,
      pace: (index) => (index === 20 ? rest.opened : undefined),
    });
    await say(page, "many words");
    await page.locator(".message.streaming", { hasText: "word19" }).waitFor();
    await page.reload();
    await page.locator(".message.streaming", { hasText: "word19" }).waitFor();
    rest.open();
    await page.locator(".message.complete.assistant").waitFor();
    assert.equal(await replyText(page), all);
    assert.equal(await page.locator(".message").count(), 2);
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("two tabs show the same: what one asks, stops and writes, the other sees", async () => {
    const { page, context, incidents } = await stage.visit();
    await say(page, "hello");
    await page.locator(".message.complete.assistant").waitFor();
    const other = await context.newPage();
    await other.goto(page.url());
    await other.locator(".message.assistant", { hasText: "You said: hello" }).waitFor();
    const never = gate();
    stage.model.enqueue({
      tokens: words,
      pace: (index) => (index === 20 ? never.opened : undefined),
    });
    await say(page, "from the first tab");
    await other.locator(".message.streaming", { hasText: "word19" }).waitFor();
    await other.getByLabel("Stop").click();
    await page.locator(".message.cancelled").waitFor();
    await other.locator(".message.cancelled").waitFor();
    await say(other, "from the second tab");
    await page.locator(".message.complete", { hasText: "You said: from the second tab" }).waitFor();
    const texts = (of: Page) => of.locator(".message .bubble, .message .markdown").allInnerTexts();
    assert.deepEqual(await texts(page), await texts(other));
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("files stay where they are kept, whatever becomes of their message and of the browser's store", async () => {
    const { page, context, incidents } = await stage.visit({ user: "packer" });
    const red = page.getByLabel("Remove red.png");
    await page
      .locator("input[type=file]")
      .setInputFiles({ name: "red.png", mimeType: "image/png", buffer: redSquare });
    await red.waitFor();
    // What has never been kept cannot be lost on its way.
    await until(async () => (await keptPlaces(page)).length === 1);
    let isAway = true;
    const sending = /\/chat\/message(\/stream)?$/;
    await context.route(sending, (route) => (isAway ? route.abort() : route.continue()));
    // The disk is full from now on.
    const fillDisk = () =>
      page.evaluate(() => {
        IDBObjectStore.prototype.put = () => {
          throw new DOMException("full", "QuotaExceededError");
        };
      });
    await fillDisk();
    await say(page, "what is this?");
    const pending = page.locator(".pending", { hasText: "what is this?" });
    await pending.getByText("Not sent yet").waitFor();
    await red.waitFor({ state: "detached" });
    await page.reload();
    await pending.getByText("red.png").waitFor();
    assert.equal(await red.count(), 0);
    // Its writer gets them back, text and files.
    await pending.getByText("Not sent yet").waitFor();
    await pending.getByRole("button", { name: "Edit" }).click();
    await red.waitFor();
    await pending.waitFor({ state: "detached" });
    assert.equal(await composer(page).inputValue(), "what is this?");
    await until(async () => (await keptPlaces(page)).length === 1);
    await fillDisk();
    await composer(page).press("Enter");
    await pending.getByText("Not sent yet").waitFor();
    isAway = false;
    await page.reload();
    await page.locator(".message.complete", { hasText: "You said: what is this?" }).waitFor();
    await page.locator(".message.user .file-picture").waitFor();
    // Nothing of it is left.
    await until(async () => (await keptPlaces(page)).length === 0);
    assert.equal(await red.count(), 0);
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("messages written without a network are kept and sent once, in order", async () => {
    const { page, context } = await stage.visit({ user: "traveller" });
    await say(page, "hello");
    await page.locator(".message.complete.assistant").waitFor();
    await context.setOffline(true);
    await say(page, "written in a tunnel");
    await page.locator(".pending", { hasText: "Not sent yet" }).waitFor();
    await page.getByText("The service cannot be reached").waitFor();
    await say(page, "and a second one");
    await context.setOffline(false);
    await page.locator(".message.complete", { hasText: "You said: and a second one" }).waitFor();
    assert.equal(await page.locator(".pending").count(), 0);
    const sent = await page.locator(".message.user .bubble").allInnerTexts();
    assert.deepEqual(sent, ["hello", "written in a tunnel", "and a second one"]);
    await context.close();
  });

  test("a reply goes on after its connection was cut in its middle", async () => {
    const proxy = await startCuttingProxy(stage.service.url);
    const { page, context, incidents } = await stage.visit({ url: proxy.url });
    const rest = gate();
    stage.model.enqueue({
      tokens: words,
      pace: (index) => (index === 20 ? rest.opened : undefined),
    });
    await say(page, "cut in the middle");
    await page.locator(".message.streaming", { hasText: "word19" }).waitFor();
    proxy.cut();
    rest.open();
    await page.locator(".message.complete.assistant").waitFor();
    assert.equal(await replyText(page), all);
    assert.deepEqual(incidents, []);
    await context.close();
    proxy.close();
  });

  test("an agent goes away: the page says so, and asks again by itself when it is back", async () => {
    const port = await freePort();
    let model = await startOpenAiServer({ port });
    const service = await startService({ env: { MODELS_API_URL: model.url } });
    const { page, context } = await visit(stage.browser, service.url);
    await say(page, "hello");
    await page.locator(".message.complete.assistant").waitFor();
    await model.close();
    await say(page, "while you were away");
    await page.locator(".message.failed", { hasText: "cannot be reached" }).waitFor();
    await page.getByText("asked again as soon as the agent is back").waitFor();
    model = await startOpenAiServer({ port });
    await page
      .locator(".message.complete", { hasText: "You said: while you were away" })
      .waitFor({ timeout: 40_000 });
    assert.equal(await page.locator(".message.user").count(), 2);
    await context.close();
    await service.stop();
    await model.close();
  }, 60_000);

  test("a lost answer is asked for again, and the message is there once", async () => {
    const { page, context } = await stage.visit();
    let isLost = false;
    await context.route("**/chat/message/stream", async (route) => {
      if (isLost) return route.fallback();
      isLost = true;
      // The service gets it; the page never hears so.
      await fetch(route.request().url(), {
        method: "POST",
        headers: await route.request().allHeaders(),
        body: route.request().postData() ?? "",
      });
      return route.abort("connectionreset");
    });
    await say(page, "only once");
    await page.locator(".message.complete", { hasText: "You said: only once" }).waitFor();
    const asked = stage.model.requests.filter((request) =>
      JSON.stringify(request.body).includes("only once"),
    );
    assert.equal(asked.length, 1);
    assert.equal(await page.locator(".message.user").count(), 1);
    await context.close();
  });

  test("what is being written survives a reload, for each conversation", async () => {
    const { page, context } = await stage.visit();
    await say(page, "first conversation");
    await page.locator(".message.complete.assistant").waitFor();
    await composer(page).fill("half a thought");
    await page.getByRole("button", { name: "New conversation" }).click();
    await page.getByText("What can I do for you?").waitFor();
    assert.equal(await composer(page).inputValue(), "");
    await composer(page).fill("another one");
    await page.reload();
    await page.getByText("What can I do for you?").waitFor();
    assert.equal(await composer(page).inputValue(), "another one");
    await page.locator(".session-item", { hasText: "first conversation" }).click();
    await page.locator(".message.complete.assistant").waitFor();
    assert.equal(await composer(page).inputValue(), "half a thought");
    await context.close();
  });

  test("the node dies in the middle and comes back: the page goes on by itself", async () => {
    const port = await freePort();
    const dataDir = await createDataDir();
    const env = { MODELS_API_URL: stage.model.url, PORT: String(port) };
    let service = await startService({ env, dataDir });
    const { page, context } = await visit(stage.browser, service.url);
    const never = gate();
    stage.model.enqueue({
      tokens: words,
      pace: (index) => (index === 20 ? never.opened : undefined),
    });
    await say(page, "before the end");
    await page.locator(".message.streaming", { hasText: "word19" }).waitFor();
    // Text is stored at the latest after two seconds: what the database has not seen dies with the only node.
    const session = new URL(page.url()).searchParams.get("session") ?? "";
    const client = createClient(service.url);
    await until(async () => {
      const { body } = await client.get<{ messages: { content: string }[] }>(
        `/chat/history/${session}`,
      );
      return body.messages.at(-1)?.content.includes("word19") ?? false;
    });
    await service.kill();
    await page.getByText("The service cannot be reached").waitFor();
    await say(page, "while it was away");
    service = await startService({ env, dataDir });
    const interrupted = page.locator(".message.interrupted");
    await interrupted.waitFor();
    assert.match(await interrupted.innerText(), /word19[\s\S]*Interrupted/);
    await page.locator(".message.complete", { hasText: "You said: while it was away" }).waitFor();
    await page.getByText("The service cannot be reached").waitFor({ state: "detached" });
    await context.close();
    await service.stop();
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);

  test("what was read before the node died stays to be read, also where less of it was kept", async () => {
    const port = await freePort();
    const dataDir = await createDataDir();
    const env = { MODELS_API_URL: stage.model.url, PORT: String(port) };
    let service = await startService({ env, dataDir });
    const { page, context } = await visit(stage.browser, service.url);
    const never = gate();
    stage.model.enqueue({
      tokens: words,
      pace: (index) => (index === 20 ? never.opened : undefined),
    });
    await say(page, "before the end");
    await page.locator(".message.streaming", { hasText: "word19" }).waitFor();
    await service.kill();
    service = await startService({ env, dataDir });
    const interrupted = page.locator(".message.interrupted");
    await interrupted.getByText("Interrupted").waitFor();
    assert.match(await interrupted.innerText(), /word19[\s\S]*Interrupted/);
    await context.close();
    await service.stop();
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);
});
