import assert from "node:assert/strict";
import { afterAll, beforeAll, test } from "vitest";
import { describeInBrowser } from "./browser.ts";
import { openStage, say, type Stage } from "./stage.ts";

interface Sent {
  message_id: string;
  user_message_id: string;
  session_id: string;
}

describeInBrowser("finding again what was said", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.close());

  /** A question, answered, through the API. */
  const ask = async (session: string, message: string, answer: string): Promise<Sent> => {
    stage.model.enqueue({ tokens: [answer] });
    const { body } = await stage.client.send<Sent>("POST", "/chat/message", {
      session_id: session,
      message,
    });
    return body;
  };

  test("the link of a message leads to it, among hundreds, in another tab, and back and forth", async () => {
    const user = "linker";
    const session = await stage.client.session(user);
    const first = await ask(session, "the very first", "one");
    for (let count = 0; count < 60; count += 1) await ask(session, `question ${count}`, "more");
    const { page, context, incidents } = await stage.visit({
      user,
      path: `/?session=${session}`,
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await page.getByText("question 59").waitFor();
    const message = page.locator(".message.user", { hasText: "question 59" });
    await message.hover();
    await message.getByLabel("Copy a link to this message").click();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(link, new RegExp(`session=${session}&message=`));
    const other = await context.newPage();
    await other.goto(link);
    await other.locator(".message.user.found", { hasText: "question 59" }).waitFor();

    await other.goto(`${stage.service.url}/?session=${session}&message=${first.user_message_id}`);
    await other.locator(".message.user.found", { hasText: "the very first" }).waitFor();
    assert.equal(await other.getByText("question 59").count(), 0);
    await other.getByLabel("Go to the newest message").click();
    await other.getByText("question 59").waitFor();
    assert.doesNotMatch(other.url(), /message=/);

    await page.keyboard.press("Control+k");
    await page.keyboard.type("very first");
    await page.locator(".hits mark").first().waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".message.user.found", { hasText: "the very first" }).waitFor();
    assert.match(page.url(), new RegExp(`message=${first.user_message_id}`));
    await page.goBack();
    await page.getByText("question 59").waitFor();
    await page.goForward();
    await page.locator(".message.user.found", { hasText: "the very first" }).waitFor();
    assert.deepEqual(incidents, []);
    await context.close();
  }, 60_000);

  test("a link to another version shows that one; to what is gone, it says so", async () => {
    const user = "brancher";
    const session = await stage.client.session(user);
    const first = await ask(session, "which colour", "red");
    stage.model.enqueue({ tokens: ["blue"] });
    const again = await stage.client.send(
      "POST",
      `/chat/message/${first.message_id}/regenerate`,
      {},
    );
    assert.equal(again.status, 200);
    const { page, context, incidents } = await stage.visit({
      user,
      path: `/?session=${session}&message=${first.message_id}`,
    });
    await page.locator(".message.assistant.found", { hasText: "red" }).waitFor();
    assert.equal(await page.getByText("blue").count(), 0);

    await stage.client.send("DELETE", `/chat/message/${first.message_id}`);
    await page.getByText("blue").waitFor();
    for (const gone of [first.message_id, "nonsense"]) {
      await page.goto(`${stage.service.url}/?session=${session}&message=${gone}`);
      await page.getByText("does not exist any more").waitFor();
      await page.getByText("blue").waitFor();
      assert.doesNotMatch(page.url(), /message=/);
    }
    await page.goto(
      `${stage.service.url}/?session=${crypto.randomUUID()}&message=${crypto.randomUUID()}`,
    );
    await page.getByText("This conversation does not exist").waitFor();
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("search is narrowed, shows replies without their Markdown, and outlives a lost network", async () => {
    const user = "searcher";
    const session = await stage.client.session(user);
    await ask(
      session,
      "where is the **treasure**",
      "# Map\n\nThe **treasure** is `below` the tree.",
    );
    const { page, context, incidents } = await stage.visit({ user, path: `/?session=${session}` });
    await page.locator(".message.assistant.complete").waitFor();
    await page.keyboard.press("Control+k");
    await page.keyboard.type("treasure");
    const hits = page.locator(".hits li");
    await hits.nth(1).waitFor();
    assert.deepEqual(
      (await page.locator(".hits button > span:last-child").allTextContents())
        .filter((text) => text.includes("treasure"))
        .sort(),
      [
        "Map The treasure is below the tree.",
        "where is the **treasure**",
        "where is the **treasure**",
      ],
    );
    await page.getByLabel("Said by").selectOption("assistant");
    await page.waitForFunction(() => document.querySelectorAll(".hits li").length === 1);
    await page.getByLabel("When", { exact: true }).selectOption("1");
    await page.locator(".hits li mark", { hasText: "treasure" }).waitFor();

    await context.setOffline(true);
    await page.locator(".search-everything input").fill("tree");
    await page
      .locator(".search-everything [role=status]", { hasText: "cannot be reached" })
      .waitFor();
    await context.setOffline(false);
    await page.locator(".hits li mark", { hasText: "tree" }).first().waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator(".message.assistant.found").waitFor();
    await say(page, "thanks");
    await page.locator(".message.assistant.complete").nth(1).waitFor();
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("a conversation that the service does not let be opened says so, and opens when it does", async () => {
    const user = "refused";
    const session = await stage.client.session(user);
    const sent = await ask(session, "a question", "an answer");
    const { page, context } = await stage.visit({ user, path: "/docs" });
    let isRefused = true;
    const refusal = { status: 403, json: { error: { type: "forbidden", message: "Not today." } } };
    await page.route(/\/chat\/history\/|\/sessions\/[0-9a-f-]{36}/, (route) =>
      isRefused ? route.fulfill(refusal) : route.fallback(),
    );
    await page.goto(`${stage.service.url}/?session=${session}&message=${sent.user_message_id}`);
    await page.getByText("This conversation cannot be opened").waitFor();
    await page.locator(".notice.error", { hasText: "Not today." }).waitFor();
    assert.equal(await page.locator(".composer").count(), 0);
    isRefused = false;
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(".message.user.found", { hasText: "a question" }).waitFor();
    await page.locator(".composer").waitFor();
    await context.close();
  });
});
