import assert from "node:assert/strict";
import { afterAll, beforeAll, test } from "vitest";
import { faults } from "./axe.ts";
import { describeInBrowser } from "./browser.ts";
import { composer, gate, openStage, say, type Stage } from "./stage.ts";

describeInBrowser("keys", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.close());

  test("do what their list says, and single ones nothing while somebody writes, or when switched off", async () => {
    const { page, context, incidents } = await stage.visit({
      user: "keys",
      permissions: ["clipboard-read", "clipboard-write"],
    });
    stage.model.enqueue({ tokens: ["the **first** answer"] });
    await say(page, "one");
    await page.locator(".message.assistant.complete").waitFor();
    stage.model.enqueue({ tokens: ["second"] });
    await page.keyboard.press("Control+Shift+O");
    await page.getByRole("heading", { name: "What can I do for you?" }).waitFor();
    await say(page, "two");
    await page.locator(".message.assistant.complete").waitFor();

    // What is written is text.
    await composer(page).fill("");
    await composer(page).press("?");
    await page.keyboard.type("/fsjkgc");
    assert.equal(await composer(page).inputValue(), "?/fsjkgc");
    assert.equal(await page.getByRole("dialog").count(), 0);
    await composer(page).fill("");

    await page.locator(".messages").focus();
    await page.keyboard.press("?");
    const list = page.getByRole("dialog", { name: "Keyboard shortcuts" });
    await list.getByText("Search everything").waitFor();
    assert.deepEqual(await faults(page), []);
    await page.keyboard.press("Escape");
    await list.waitFor({ state: "detached" });

    await page.locator(".messages").focus();
    await page.keyboard.press("k");
    assert.equal(await page.locator(".message.assistant:focus").count(), 1);
    await page.keyboard.press("k");
    assert.equal(await page.locator(".message.user:focus").count(), 1);
    await page.keyboard.press("j");
    assert.equal(await page.locator(".message.assistant:focus").count(), 1);
    await page.keyboard.press("Alt+ArrowDown");
    await page.locator(".message.assistant", { hasText: "the first answer" }).waitFor();
    await page.locator(".messages").focus();
    await page.keyboard.press("c");
    await page.getByText("The last reply is copied.").waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "the **first** answer");
    await page.keyboard.press("/");
    assert.equal(await composer(page).evaluate((area) => area === document.activeElement), true);
    await page.locator(".messages").focus();
    await page.keyboard.press("f");
    const here = page.getByRole("searchbox", { name: "Search in this conversation" });
    await here.fill("first");
    await here.press("Escape");
    await here.waitFor({ state: "detached" });
    await page.locator(".messages").focus();
    await page.keyboard.press("s");
    await page.getByRole("dialog", { name: "Settings of this conversation" }).waitFor();
    await page.keyboard.press("Escape");

    await page.locator(".messages").focus();
    await page.keyboard.press("?");
    await list.getByRole("checkbox").uncheck();
    await page.keyboard.press("Escape");
    await page.locator(".messages").focus();
    await page.keyboard.press("s");
    await page.keyboard.press("Control+k");
    await page.getByRole("dialog", { name: "Search everything" }).waitFor();
    assert.equal(await page.getByRole("dialog").count(), 1);
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("Escape closes one thing after the other, and stops the reply at last; not while characters are composed", async () => {
    const { page, context, incidents } = await stage.visit({
      user: "escape",
      viewport: { width: 390, height: 844 },
    });
    const never = gate();
    stage.model.enqueue({
      tokens: ["a", "b"],
      pace: (at) => (at === 1 ? never.opened : undefined),
    });
    await say(page, "long");
    const running = page.locator(".message.streaming");
    await running.waitFor();
    await page.getByLabel("Search in this conversation").click();
    await page.getByLabel("Open the list of conversations").click();
    const side = page.locator(".side-bar.open");
    await side.waitFor();
    await page.getByRole("button", { name: "Settings", exact: true }).click();
    await page.getByRole("menu").waitFor();

    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
    assert.equal(await side.count(), 1);
    await page.keyboard.press("Escape");
    await side.waitFor({ state: "detached" });
    const panel = page.locator(".search-panel");
    assert.equal(await panel.count(), 1);
    await page.locator(".messages").focus();
    await page.keyboard.press("Escape");
    await panel.waitFor({ state: "detached" });
    assert.equal(await running.count(), 1);

    await composer(page).evaluate((area) => {
      area.dispatchEvent(
        new KeyboardEvent("keydown", { key: "Escape", bubbles: true, isComposing: true }),
      );
    });
    await page.keyboard.press("Control+k");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(await running.count(), 1);
    await composer(page).press("Escape");
    await page.locator(".message.cancelled").waitFor();
    assert.deepEqual(incidents, []);
    await context.close();
  });
});
