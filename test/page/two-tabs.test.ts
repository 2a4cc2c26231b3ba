import assert from "node:assert/strict";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, test, vi } from "vitest";
import { describeInBrowser } from "./browser.ts";
import { composer, gate, openStage, say, type Stage } from "./stage.ts";

/** Something done in one tab to a conversation that holds "first", its two replies, "second" and its reply. */
interface Action {
  readonly name: string;
  act(page: Page): Promise<void>;
  /** What both tabs show then. */
  seen(page: Page): Promise<void>;
  /** Whether the other tab's menu is still there, and its message still written there. */
  readonly leaves?: "nothing";
  /** Also while a reply is made. */
  readonly isForRunning?: true;
}

const question = (page: Page, text: string) =>
  page.locator(".message.user").filter({ has: page.getByText(text, { exact: true }) });
const item = (page: Page) => page.locator(".session-item.current, li:has(form.rename)");
const openMenu = (page: Page) => item(page).locator(".menu-button").click();
const choose = async (page: Page, name: string) => {
  await openMenu(page);
  await page.getByRole("menuitem", { name, exact: true }).click();
};
const versions = (page: Page, text: string) =>
  page.locator(".message .versions", { hasText: text }).first().waitFor();

const actions: readonly Action[] = [
  {
    name: "saying a message otherwise",
    act: async (page) => {
      await question(page, "second").getByLabel("Edit the message").click();
      await page.locator(".edit-message textarea").fill("otherwise");
      await page.locator(".edit-message textarea").press("Enter");
    },
    seen: async (page) => {
      await page.locator(".message.complete", { hasText: "You said: otherwise" }).waitFor();
      await question(page, "otherwise").getByText("2/2").waitFor();
      await question(page, "second").waitFor({ state: "detached" });
      assert.equal(await page.locator(".edit-message").count(), 0);
    },
  },
  {
    name: "asking again",
    act: (page) => page.locator(".message.assistant").last().getByLabel("Ask again").click(),
    seen: (page) => page.locator(".message.assistant.complete").nth(1).getByText("2/2").waitFor(),
  },
  {
    name: "showing another branch",
    act: (page) => page.getByLabel("Previous version").first().click(),
    seen: async (page) => {
      await versions(page, "1/2");
      await question(page, "second").waitFor({ state: "detached" });
    },
  },
  {
    name: "deleting a message",
    act: async (page) => {
      await question(page, "second").getByLabel("Delete the message").click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    },
    seen: (page) => question(page, "second").waitFor({ state: "detached" }),
  },
  {
    name: "renaming",
    isForRunning: true,
    act: async (page) => {
      await choose(page, "Rename");
      await page.getByLabel("Title of the conversation").fill("A better name");
      await page.keyboard.press("Enter");
    },
    seen: async (page) => {
      await page.getByRole("heading", { name: "A better name", level: 1 }).waitFor();
      await item(page).getByText("A better name").waitFor();
    },
  },
  {
    name: "archiving",
    isForRunning: true,
    act: (page) => choose(page, "Archive"),
    seen: async (page) => {
      await page.locator(".composer.archived").waitFor();
      await page.locator(".session-item").waitFor({ state: "detached" });
      assert.equal(await page.getByRole("menu").count(), 0);
    },
  },
  {
    name: "deleting the conversation",
    isForRunning: true,
    leaves: "nothing",
    act: async (page) => {
      await choose(page, "Delete");
      // Nobody can undo it any more.
      await page.reload();
    },
    seen: async (page) => {
      await page.getByText("This conversation does not exist").waitFor();
      await page.locator(".session-item").waitFor({ state: "detached" });
      assert.equal(await page.getByRole("menu").count(), 0);
    },
  },
];

describeInBrowser("what one tab does while another shows the conversation", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.close());

  const texts = (of: Page) => of.locator(".message .bubble, .message .markdown").allInnerTexts();

  /** One tab, and another one of the same browser or of another. */
  const begin = async (user: string, isSameBrowser: boolean) => {
    const { page, context, incidents } = await stage.visit({ user });
    await say(page, "first");
    await page.locator(".message.complete", { hasText: "You said: first" }).waitFor();
    await page.getByLabel("Ask again").click();
    await page.locator(".message.complete .versions", { hasText: "2/2" }).waitFor();
    await say(page, "second");
    await page.locator(".message.complete", { hasText: "You said: second" }).waitFor();
    const { search } = new URL(page.url());
    const elsewhere = isSameBrowser ? null : await stage.visit({ user, path: `/${search}` });
    const other = elsewhere?.page ?? (await context.newPage());
    if (isSameBrowser) await other.goto(page.url());
    await other.locator(".message.complete", { hasText: "You said: second" }).waitFor();
    await item(other).waitFor();
    const contexts: BrowserContext[] = [
      context,
      ...(elsewhere === null ? [] : [elsewhere.context]),
    ];
    return {
      page,
      other,
      async end() {
        assert.deepEqual([...incidents, ...(elsewhere?.incidents ?? [])], []);
        await Promise.all(contexts.map((each) => each.close()));
      },
    };
  };

  test.each(
    actions.flatMap((action) => [
      { ...action, where: "another tab", isSameBrowser: true },
      { ...action, where: "another device", isSameBrowser: false },
    ]),
  )(
    "$name, seen from $where",
    async ({ name, where, act, seen, leaves, isSameBrowser }) => {
      const { page, other, end } = await begin(`${name} ${where}`, isSameBrowser);
      await composer(other).fill("half a thought");
      await openMenu(other);
      await other.getByRole("menu").waitFor();
      await act(page);
      await seen(other);
      if (leaves !== "nothing") {
        await seen(page);
        assert.deepEqual(await texts(other), await texts(page));
      }
      assert.equal(await other.locator(".notice.error").count(), 0);
      if (name === "archiving") {
        await page.getByRole("button", { name: "Bring back" }).click();
        await composer(other).waitFor();
      }
      if (leaves === "nothing") {
        await other.getByRole("button", { name: "Take what you wrote into a new one" }).click();
      }
      assert.equal(await composer(other).inputValue(), "half a thought");
      await other.reload();
      await composer(other).waitFor();
      assert.equal(await composer(other).inputValue(), "half a thought");
      await composer(other).press("Enter");
      await other.locator(".message.complete", { hasText: "You said: half a thought" }).waitFor();
      await end();
    },
    90_000,
  );

  test.each(actions.filter(({ isForRunning }) => isForRunning))(
    "$name while a reply is made that the other tab has asked for",
    async ({ name, act, seen, leaves }) => {
      const { page, other, end } = await begin(`running ${name}`, true);
      const rest = gate();
      stage.model.enqueue({
        tokens: ["begun ", "and ended"],
        pace: (at) => (at === 1 ? rest.opened : undefined),
      });
      await say(other, "third");
      await other.locator(".message.streaming", { hasText: "begun" }).waitFor();
      await page.locator(".message.streaming", { hasText: "begun" }).waitFor();
      await composer(other).fill("half a thought");
      await act(page);
      await seen(other);
      rest.open();
      if (leaves !== "nothing") {
        for (const each of [page, other]) {
          await each.locator(".message.complete", { hasText: "begun and ended" }).waitFor();
        }
        assert.deepEqual(await texts(other), await texts(page));
        assert.equal(await other.getByLabel("Stop").count(), 0);
      }
      assert.equal(await other.locator(".notice.error").count(), 0);
      await end();
    },
    90_000,
  );

  test("a title that is being changed is not taken back by leaving it", async () => {
    const { page, other, end } = await begin("renamer", true);
    await choose(other, "Rename");
    await other.getByLabel("Title of the conversation").waitFor();
    await choose(page, "Rename");
    await page.getByLabel("Title of the conversation").fill("A better name");
    await page.keyboard.press("Enter");
    await other.getByRole("heading", { name: "A better name", level: 1 }).waitFor();
    await composer(other).click();
    await other.getByLabel("Title of the conversation").waitFor({ state: "detached" });
    await item(other).getByText("A better name").waitFor();
    await end();
  }, 90_000);

  test("what two tabs write at once, before either has sent, stays to both", async () => {
    const { page, context, incidents } = await stage.visit({ user: "writer" });
    const other = await context.newPage();
    await other.goto(page.url());
    await composer(page).fill("from the first");
    await composer(other).fill("from the second");
    await composer(page).press("Enter");
    await page.locator(".message.complete", { hasText: "You said: from the first" }).waitFor();
    await other.reload();
    await other.getByText("What can I do for you?").waitFor();
    await vi.waitFor(
      async () => assert.equal(await composer(other).inputValue(), "from the second"),
      10_000,
    );
    assert.equal(await composer(page).inputValue(), "");
    await page.reload();
    await page.locator(".message.complete", { hasText: "You said: from the first" }).waitFor();
    assert.equal(await composer(page).inputValue(), "");
    assert.deepEqual(incidents, []);
    await context.close();
  }, 90_000);
});
