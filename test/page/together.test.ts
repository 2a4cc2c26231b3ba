import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { describeInBrowser } from "./browser.ts";
import { gate, openStage, say, type Stage } from "./stage.ts";

describeInBrowser("at the same time", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.close());

  const texts = (of: Page) => of.locator(".message .bubble, .message .markdown").allInnerTexts();

  test("two users talk, and neither sees anything of the other", async () => {
    const [ann, bob] = await Promise.all([
      stage.visit({ user: "ann" }),
      stage.visit({ user: "bob", locale: "zh-CN" }),
    ]);
    await Promise.all([say(ann.page, "mine, says ann"), say(bob.page, "mine, says bob")]);
    await Promise.all(
      [ann, bob].map(({ page }) => page.locator(".message.complete.assistant").waitFor()),
    );
    assert.deepEqual(await texts(ann.page), ["mine, says ann", "You said: mine, says ann"]);
    assert.deepEqual(await texts(bob.page), ["mine, says bob", "You said: mine, says bob"]);
    assert.equal(await ann.page.locator(".session-item").count(), 1);
    // Whoever has the address has nothing yet.
    await bob.page.goto(ann.page.url());
    await bob.page.getByText("此对话不存在").waitFor();
    for (const { context, incidents } of [ann, bob]) {
      assert.deepEqual(incidents, []);
      await context.close();
    }
  });

  test("on two devices of one user what waits is seen, changed and withdrawn on either", async () => {
    const one = await stage.visit({ user: "carol" });
    const other = await stage.visit({ user: "carol" });
    const rest = gate();
    stage.model.enqueue({
      tokens: ["begun ", "and ended"],
      pace: (at) => (at === 1 ? rest.opened : undefined),
    });
    await say(one.page, "first");
    await one.page.locator(".message.streaming", { hasText: "begun" }).waitFor();
    await other.page.locator(".session-item", { hasText: "first" }).click();
    await other.page.locator(".message.streaming", { hasText: "begun" }).waitFor();
    await say(other.page, "second");
    await say(one.page, "third");
    await Promise.all(
      [one, other].map(({ page }) => page.locator(".message.queued").nth(1).waitFor()),
    );
    await other.page
      .locator(".message.user", { hasText: "second" })
      .getByLabel("Edit the message")
      .click();
    await other.page.locator(".edit-message textarea").fill("second, better");
    await other.page.keyboard.press("Enter");
    await one.page.locator(".bubble", { hasText: "second, better" }).waitFor();
    await one.page.locator(".message.queued").nth(1).getByText("Withdraw").click();
    await other.page.locator(".bubble", { hasText: "third" }).waitFor({ state: "detached" });
    rest.open();
    const last = { hasText: "You said: second, better" };
    await Promise.all(
      [one, other].map(({ page }) => page.locator(".message.complete", last).waitFor()),
    );
    assert.deepEqual(await texts(one.page), await texts(other.page));
    for (const { context, incidents } of [one, other]) {
      assert.deepEqual(incidents, []);
      await context.close();
    }
  });
});
