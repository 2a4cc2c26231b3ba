import assert from "node:assert/strict";
import { afterAll, beforeAll, test } from "vitest";
import { findNginx } from "../support/nginx.ts";
import { startShippedNginx } from "../support/shipped-nginx.ts";
import { describeInBrowser } from "./browser.ts";
import { openStage, say, type Stage } from "./stage.ts";

describeInBrowser("the page of a service with nothing configured", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ MODELS_API_URL: "", VOICE_ENABLED: "false" });
  }, 120_000);
  afterAll(() => stage?.close());

  test("the status page shows how every part is, and draws the metrics as they come", async () => {
    await stage.client.send("POST", "/chat/message", { user_id: "someone", message: "hello" });
    const { page, context, incidents } = await stage.visit({ path: "/status" });
    await page.locator(".dependencies .healthy", { hasText: "Database" }).waitFor();
    await page.locator(".dependencies .disabled", { hasText: "Redis" }).waitFor();
    const messages = page.locator(".chart", { hasText: "Messages a minute" });
    await messages.locator("canvas").waitFor();
    const value = messages.locator(".chart-value");
    await page.waitForFunction(
      (element) => Number.parseFloat(element?.textContent ?? "") > 0,
      await value.elementHandle(),
    );
    const before = await page.evaluate(() => document.querySelectorAll(".chart canvas").length);
    assert.equal(before, 6);
    assert.deepEqual(incidents, []);
    await page.getByRole("button", { name: "中文" }).click();
    await page.getByText("服务状态", { exact: true }).waitFor();
    await context.close();
  });

  test("the status page says so when the service is gone", async () => {
    const { page, context } = await stage.visit({ path: "/status" });
    await page.locator(".dependencies li").first().waitFor();
    await context.setOffline(true);
    await page.getByText("The service cannot be reached.").waitFor();
    await context.setOffline(false);
    await page.locator(".status-overall.healthy, .status-overall.degraded").waitFor();
    await context.close();
  });

  test("behind the shipped nginx, which keeps the details inside, the status page says that all is well", async (context) => {
    const program = findNginx();
    if (program === null) return context.skip();
    const node = new URL(stage.service.url).host;
    const nginx = await startShippedNginx(program, [node, node]);
    const visit = await stage.visit({ url: nginx.url, path: "/status" });
    await visit.page.locator(".status-overall.healthy").waitFor();
    await visit.page.getByText("Details are shown inside").waitFor();
    assert.equal(await visit.page.getByText("cannot be reached").count(), 0);
    await nginx.stop();
    await visit.page.getByText("The service cannot be reached.").waitFor();
    await visit.context.close();
  });

  test("there is no microphone where the service does not understand speech, nor a voice where it has none, and an agent that takes no files says so", async () => {
    const { page, context, incidents } = await stage.visit();
    await page.getByText("Calculator", { exact: true }).click();
    await page.getByLabel("Attach files").waitFor({ state: "detached" });
    // What is dropped all the same is not lost without a word.
    await page.locator(".composer textarea").evaluate((element) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(["x"], "x.png", { type: "image/png" }));
      const event = new ClipboardEvent("paste", {
        bubbles: true,
        cancelable: true,
        clipboardData: transfer,
      });
      element.dispatchEvent(event);
    });
    await page.getByText("Calculator takes no files.").waitFor();
    await say(page, "6 * 7");
    await page.locator(".message.assistant.complete", { hasText: "42" }).waitFor();
    assert.equal(await page.getByLabel("Talk: hold").count(), 0);
    assert.equal(await page.getByLabel("Speak replies aloud").count(), 0);
    assert.equal(await page.getByLabel("Read aloud").count(), 0);
    assert.deepEqual(incidents, []);
    await context.close();
  });
});
