import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { describeInBrowser } from "./browser.ts";
import { openStage, say, type Stage } from "./stage.ts";

/** Something one does to a conversation that holds "first" and its reply. */
interface Flow {
  readonly name: string;
  /** The request whose answer is lost, or that does not get out. */
  readonly request: readonly [method: string, path: RegExp];
  act(page: Page): Promise<void>;
  /** After the network is back: what is there to be pressed, where the page does not go on by itself. */
  again(page: Page): Promise<void>;
  /** It has happened, once. */
  done(page: Page): Promise<void>;
}

const user = (page: Page) => page.locator(".message.user").first();
const reply = (page: Page) => page.locator(".message.assistant").first();
const tryAgain = async (page: Page) => {
  await page.locator(".notice.error").getByRole("button", { name: "Try again" }).click();
};
const menu = async (page: Page, item: string) => {
  await page.locator(".session-item .menu-button").first().click();
  await page.getByRole("menuitem", { name: item, exact: true }).click();
};
const versions = (page: Page, whose: "user" | "assistant", text: string) =>
  page.locator(`.message.${whose} .versions`, { hasText: text }).waitFor();

const flows: readonly Flow[] = [
  {
    name: "editing",
    request: ["POST", /\/edit(\?|$)/],
    act: async (page) => {
      await user(page).getByLabel("Edit the message").click();
      await page.locator(".edit-message textarea").fill("otherwise");
      await page.keyboard.press("Enter");
    },
    again: async (page) => {
      await page.locator(".notice.error").waitFor();
      // What was typed is still there.
      assert.equal(await page.locator(".edit-message textarea").inputValue(), "otherwise");
      await page.locator(".edit-message textarea").press("Enter");
    },
    done: async (page) => {
      await page.locator(".message.complete", { hasText: "You said: otherwise" }).waitFor();
      await versions(page, "user", "2/2");
    },
  },
  {
    name: "asking again",
    request: ["POST", /\/regenerate(\?|$)/],
    act: (page) => reply(page).getByLabel("Ask again").click(),
    again: tryAgain,
    done: (page) => versions(page, "assistant", "2/2"),
  },
  {
    name: "rating",
    request: ["PUT", /\/feedback(\?|$)/],
    act: (page) => reply(page).getByLabel("Good reply").click(),
    again: tryAgain,
    done: (page) => page.locator('[aria-label="Good reply"][aria-pressed="true"]').waitFor(),
  },
  {
    name: "going on apart",
    request: ["POST", /\/fork(\?|$)/],
    act: (page) => reply(page).getByLabel("Go on from here apart").click(),
    again: tryAgain,
    done: async (page) => {
      await page.locator(".session-item").nth(1).waitFor();
      assert.equal(await page.locator(".session-item").count(), 2);
      await page.locator(".message.complete", { hasText: "You said: first" }).waitFor();
    },
  },
  {
    name: "deleting a message",
    request: ["DELETE", /\/chat\/message\//],
    act: async (page) => {
      await user(page).getByLabel("Delete the message").click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    },
    again: tryAgain,
    done: (page) => user(page).waitFor({ state: "detached" }),
  },
  {
    name: "renaming",
    request: ["PATCH", /\/sessions\//],
    act: async (page) => {
      await menu(page, "Rename");
      await page.getByLabel("Title of the conversation").fill("A better name");
      await page.keyboard.press("Enter");
    },
    again: async (page) => {
      await page.locator(".notice.error").waitFor();
      assert.equal(
        await page.getByLabel("Title of the conversation").inputValue(),
        "A better name",
      );
      await page.getByLabel("Title of the conversation").press("Enter");
    },
    done: (page) => page.getByRole("heading", { name: "A better name" }).waitFor(),
  },
  {
    name: "pinning",
    request: ["PATCH", /\/sessions\//],
    act: (page) => menu(page, "Pin"),
    again: tryAgain,
    done: (page) => page.getByText("Pinned", { exact: true }).first().waitFor(),
  },
  {
    name: "archiving",
    request: ["PATCH", /\/sessions\//],
    act: (page) => menu(page, "Archive"),
    again: tryAgain,
    done: (page) => page.locator(".composer.archived").waitFor(),
  },
  {
    name: "choosing a model",
    request: ["PATCH", /\/sessions\//],
    act: async (page) => {
      await page.locator(".composer").getByLabel("Model", { exact: true }).selectOption("large");
    },
    again: tryAgain,
    done: async (page) => {
      await say(page, "second");
      await page.locator(".model-name", { hasText: "large" }).waitFor();
    },
  },
];

describeInBrowser("the network is cut in the middle of", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({}, undefined, ["small", "large"]);
  }, 120_000);
  afterAll(() => stage?.close());

  const begin = async (name: string) => {
    const opened = await stage.visit({ user: name });
    await say(opened.page, "first");
    await opened.page.locator(".message.complete", { hasText: "You said: first" }).waitFor();
    await opened.page.locator(".session-item").waitFor();
    return opened;
  };

  test.each(flows)("$name: the answer is lost", async (flow) => {
    const { page, context } = await begin(`lost ${flow.name}`);
    const [method, path] = flow.request;
    let isLost = false;
    await page.route(path, async (route) => {
      if (isLost || route.request().method() !== method) return route.fallback();
      isLost = true;
      // The service gets it; the page never hears so.
      await fetch(route.request().url(), {
        method,
        headers: await route.request().allHeaders(),
        ...(route.request().postData() !== null && { body: route.request().postData() }),
      });
      return route.abort("connectionreset");
    });
    await flow.act(page);
    // Other devices are told what happened: where the page has heard of it that way, there is nothing left to do.
    await flow.again(page).catch(() => undefined);
    await flow.done(page);
    assert.equal(isLost, true);
    await context.close();
  });

  test.each(flows)("$name: nothing gets out", async (flow) => {
    const { page, context } = await begin(`offline ${flow.name}`);
    await context.setOffline(true);
    await flow.act(page);
    await page.locator(".notice.error", { hasText: "The service cannot be reached" }).waitFor();
    await context.setOffline(false);
    await flow.again(page);
    await flow.done(page);
    await context.close();
  });
});
