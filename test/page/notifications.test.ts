import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { describeInBrowser } from "./browser.ts";
import { gate, openStage, say, type Stage } from "./stage.ts";

interface Told {
  title: string;
  body: string;
  tag: string;
}

/** As if another tab were in front. */
function look(page: Page, isVisible: boolean): Promise<void> {
  return page.evaluate(
    (state) => {
      Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    },
    isVisible ? "visible" : "hidden",
  );
}

/** In the page: notes what would be shown, and how often it was asked for. */
function catchNotifications(answer: NotificationPermission): void {
  const told: Told[] = [];
  let permission: NotificationPermission = "default";
  class Caught extends EventTarget {
    static get permission() {
      return permission;
    }
    static requestPermission() {
      Reflect.set(window, "wasAsked", true);
      permission = answer;
      return Promise.resolve(answer);
    }
    close() {}
    constructor(title: string, { body = "", tag = "" }: NotificationOptions) {
      super();
      told.push({ title, body, tag });
      Reflect.set(window, "last", this);
    }
  }
  Reflect.set(window, "told", told);
  Reflect.set(window, "Notification", Caught);
}

const told = (page: Page) => page.evaluate(() => Reflect.get(window, "told") as Told[]);

describeInBrowser("a reply that ends while nobody looks", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.close());

  const open = async (answer: NotificationPermission, url = stage.service.url) => {
    const visit = await stage.visit({ url });
    await visit.context.addInitScript(catchNotifications, answer);
    await visit.page.reload();
    await visit.page.locator(".agent-card").first().waitFor();
    return visit;
  };
  const choose = async (page: Page, name: string) => {
    await page.getByRole("button", { name: "Settings", exact: true }).click();
    await page.getByRole("menuitemradio", { name }).click();
  };
  /** A reply that ends in the background. */
  const miss = async (page: Page, question: string, text: string, count: number) => {
    const rest = gate();
    stage.model.enqueue({
      tokens: [text, " "],
      pace: (at) => (at === 1 ? rest.opened : undefined),
    });
    await say(page, question);
    await page.locator(".message.streaming").waitFor();
    await look(page, false);
    rest.open();
    await page
      .locator(".message.assistant.complete")
      .nth(count - 1)
      .waitFor();
  };

  test("is counted in the title, and told as much as one has chosen", async () => {
    const { page, context, incidents } = await open("granted");
    await miss(page, "one", "**first** answer", 1);
    await page.waitForFunction(() => document.title.startsWith("(1) "));
    assert.equal(await page.evaluate(() => Reflect.get(window, "wasAsked")), undefined);
    assert.deepEqual(await told(page), []);
    await look(page, true);
    await page.waitForFunction(() => !document.title.startsWith("("));

    await choose(page, "Notifications: that a reply is there");
    await miss(page, "two", "**second** answer", 2);
    await page.waitForFunction(() => (Reflect.get(window, "told") as unknown[]).length === 1);
    assert.partialDeepStrictEqual(await told(page), [{ title: "Chat", body: "A reply is there." }]);
    await look(page, true);

    await choose(page, "Notifications: how a reply begins");
    await miss(page, "three", "# A title\n\nThe **third** `answer`.", 3);
    await page.waitForFunction(() => (Reflect.get(window, "told") as unknown[]).length === 2);
    assert.equal((await told(page))[1]?.body, "A title\nThe third answer.");
    await look(page, true);
    stage.model.enqueue({ tokens: ["seen"] });
    await say(page, "four");
    await page.locator(".message.assistant.complete").nth(3).waitFor();
    assert.equal((await told(page)).length, 2);
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("is told of a conversation that is not open, and a click leads to it", async () => {
    const { page, context, incidents } = await open("granted");
    await choose(page, "Notifications: how a reply begins");
    const rest = gate();
    stage.model.enqueue({
      tokens: ["The **long** one.", " "],
      pace: (at) => (at === 1 ? rest.opened : undefined),
    });
    await say(page, "take your time");
    await page.locator(".message.streaming").waitFor();
    const link = page.url();
    await page.locator(".new-chat").click();
    await page.locator(".agent-card").first().waitFor();
    await page.locator(".session-item .activity.streaming").waitFor();
    await look(page, false);
    rest.open();
    await page.waitForFunction(() => (Reflect.get(window, "told") as unknown[]).length === 1);
    await page.waitForFunction(() => document.title.startsWith("(1) "));
    assert.equal((await told(page))[0]?.body, "The long one.");
    await page.evaluate(() => Reflect.get(window, "last").dispatchEvent(new Event("click")));
    await page.locator(".message.assistant.complete", { hasText: "The long one." }).waitFor();
    assert.equal(
      new URL(page.url()).searchParams.get("session"),
      new URL(link).searchParams.get("session"),
    );
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("is told once where it ended while there was no network", async () => {
    const proxy = await startCuttingProxy(stage.service.url);
    const { page, context } = await open("granted", proxy.url);
    await choose(page, "Notifications: how a reply begins");
    const rest = gate();
    stage.model.enqueue({
      tokens: ["Ended in a tunnel.", " "],
      pace: (at) => (at === 1 ? rest.opened : undefined),
    });
    await say(page, "take your time");
    await page.locator(".message.streaming", { hasText: "Ended in" }).waitFor();
    await look(page, false);
    await context.setOffline(true);
    proxy.cut();
    await page.getByText("The service cannot be reached").waitFor();
    rest.open();
    assert.deepEqual(await told(page), []);
    await context.setOffline(false);
    await page.waitForFunction(() => (Reflect.get(window, "told") as unknown[]).length === 1);
    assert.equal((await told(page))[0]?.body, "Ended in a tunnel.");
    await page.locator(".message.assistant.complete").waitFor();
    // Whatever else tells of it has done so before it tells of the next one.
    stage.model.enqueue({ tokens: ["The next one."] });
    await say(page, "and now");
    await page.waitForFunction(() =>
      (Reflect.get(window, "told") as { body: string }[]).some(
        ({ body }) => body === "The next one.",
      ),
    );
    assert.equal((await told(page)).length, 2);
    await context.close();
    proxy.close();
  }, 60_000);

  test("is still heard of long after everybody has looked away", async () => {
    const { page, context } = await open("granted");
    await page.clock.install();
    await choose(page, "Notifications: that a reply is there");
    const rest = gate();
    stage.model.enqueue({
      tokens: ["late", " "],
      pace: (at) => (at === 1 ? rest.opened : undefined),
    });
    await say(page, "take your time");
    await page.locator(".message.streaming").waitFor();
    await page.locator(".new-chat").click();
    await page.locator(".session-item .activity.streaming").waitFor();
    await look(page, false);
    await page.clock.runFor(90_000);
    rest.open();
    await page.waitForFunction(() => (Reflect.get(window, "told") as unknown[]).length === 1);
    await context.close();
  });

  test("is not told where the browser does not allow it, and the page says so", async () => {
    const { page, context } = await open("denied");
    await choose(page, "Notifications: that a reply is there");
    await page.getByText("does not allow notifications").waitFor();
    await page.getByRole("button", { name: "Settings", exact: true }).click();
    const none = page.getByRole("menuitemradio", { name: "Notifications: none" });
    assert.equal(await none.getAttribute("aria-checked"), "true");
    await context.close();
  });
});
