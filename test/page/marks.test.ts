import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { faults } from "./axe.ts";
import { describeInBrowser } from "./browser.ts";
import { openStage, say, type Stage } from "./stage.ts";

interface Message {
  content: string;
  feedback?: { rating: string; tags: string[]; comment: string | null };
}

describeInBrowser("what users mark", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({
      MODELS_CONTEXT_TOKENS: "4000",
      SESSIONS_LONG_CONVERSATIONS: "summarise",
    });
  }, 120_000);
  afterAll(() => stage?.close());

  const answered = async (page: Page, question: string, answer: string, count: number) => {
    stage.model.enqueue({
      tokens: [answer],
      usage: { prompt_tokens: 1_200, completion_tokens: 34 },
    });
    await say(page, question);
    await page
      .locator(".message.assistant.complete")
      .nth(count - 1)
      .waitFor();
  };
  const messages = async (user: string): Promise<Message[]> => {
    const { sessions } = (
      await stage.client.get<{ sessions: { session_id: string }[] }>(`/sessions?user_id=${user}`)
    ).body;
    const path = `/chat/history/${sessions[0]?.session_id ?? ""}`;
    return (await stage.client.get<{ messages: Message[] }>(path)).body.messages;
  };

  /** As if one were configured. */
  const withAgentOs = async (page: Page) => {
    await page.route(/\/health\/config$/, async (route) => {
      const response = await route.fetch();
      const config = (await response.json()) as { features: object };
      await route.fulfill({
        response,
        json: { ...config, features: { ...config.features, agno_integration: true } },
      });
    });
    await page.reload();
  };

  test("what only agents of AgentOS have is offered where there is one", async () => {
    const { page, context, incidents } = await stage.visit({ user: "without" });
    const entries = async () => {
      await page.locator(".agent-card").first().waitFor();
      await page.getByRole("button", { name: "Settings", exact: true }).press("Enter");
      return page.getByRole("menuitem").allInnerTexts();
    };
    const ofAgentOs = ["What agents remember of me", "What agents look things up in"];
    const without = await entries();
    assert.ok(without.includes("Usage"));
    assert.deepEqual(
      without.filter((entry) => ofAgentOs.includes(entry)),
      [],
    );
    await withAgentOs(page);
    const all = await entries();
    assert.deepEqual(
      all.filter((entry) => ofAgentOs.includes(entry)),
      ofAgentOs,
    );
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("a reply is rated by keyboard, with reasons and a word, and the rating is taken back", async () => {
    const { page, context, incidents } = await stage.visit({ user: "rater" });
    await answered(page, "first", "one", 1);
    await page.getByLabel("Bad reply").focus();
    await page.keyboard.press("Enter");
    const form = page.getByRole("form", { name: "Why?" });
    await form.waitFor();
    // The first reason has the focus.
    await page.keyboard.press("Space");
    assert.equal(await form.getByText("Wrong").getAttribute("aria-pressed"), "true");
    assert.deepEqual(await faults(page), []);
    await form.getByRole("textbox").fill("it is two");
    await form.getByRole("button", { name: "Send" }).press("Enter");
    await form.waitFor({ state: "detached" });
    const { feedback } = (await messages("rater"))[1] ?? {};
    assert.partialDeepStrictEqual(feedback, {
      rating: "down",
      tags: ["wrong"],
      comment: "it is two",
    });
    await page.reload();
    const down = (pressed: boolean, where = page) =>
      where.locator(`.rating [aria-label="Bad reply"][aria-pressed="${pressed}"]`);
    await down(true).waitFor();
    const other = await context.newPage();
    await other.goto(page.url());
    await down(true, other).waitFor();
    await down(true).press("Enter");
    await down(false).waitFor();
    await down(false, other).waitFor();
    assert.equal((await messages("rater"))[1]?.feedback, undefined);
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("a message is deleted with what follows, when that is confirmed", async () => {
    const { page, context, incidents } = await stage.visit({ user: "deleter" });
    await answered(page, "first", "one", 1);
    await answered(page, "second", "two", 2);
    const second = page.locator(".message.user", { hasText: "second" });
    await second.getByLabel("Delete the message").press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    assert.deepEqual(await faults(page), []);
    // What does no harm has the focus.
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    assert.equal((await messages("deleter")).length, 4);
    await second.getByLabel("Delete the message").press("Enter");
    await dialog.getByRole("button", { name: "Delete" }).press("Enter");
    await second.waitFor({ state: "detached" });
    assert.equal(await page.locator(".message").count(), 2);
    assert.deepEqual(
      (await messages("deleter")).map(({ content }) => content),
      ["first", "one"],
    );
    await answered(page, "third", "three", 2);
    assert.equal(await page.locator(".message").count(), 4);
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("conversations are tagged, and listed by tag and pin", async () => {
    const { page, context, incidents } = await stage.visit({ user: "tagger", locale: "zh-CN" });
    await answered(page, "alpha", "one", 1);
    await page.getByRole("button", { name: "新对话", exact: true }).click();
    await answered(page, "beta", "two", 1);
    const item = (title: string) => page.locator(".session-item", { hasText: title });
    const menu = async (title: string, entry: string) => {
      await item(title)
        .getByRole("button", { name: `“${title}”的操作` })
        .press("Enter");
      await page.getByRole("menuitem", { name: entry, exact: true }).press("Enter");
    };
    await menu("alpha", "标签");
    await page.keyboard.type("工作");
    await page.keyboard.press("Enter");
    await page.keyboard.type("later");
    assert.deepEqual(await faults(page), []);
    await page.getByRole("dialog").getByRole("button", { name: "保存" }).press("Enter");
    await item("alpha").getByText("工作 · later").waitFor();
    const filter = page.getByRole("group", { name: "仅显示" });
    await filter.getByRole("button", { name: "工作" }).press("Enter");
    await item("beta").waitFor({ state: "detached" });
    await item("alpha").waitFor();
    assert.deepEqual(await faults(page), []);
    await filter.getByRole("button", { name: "工作" }).press("Enter");
    await item("beta").waitFor();

    await menu("beta", "置顶");
    await page.locator(".session-list h2", { hasText: "置顶" }).waitFor();
    await filter.getByRole("button", { name: "置顶" }).press("Enter");
    await item("alpha").waitFor({ state: "detached" });
    await item("beta").waitFor();
    assert.equal(await page.locator(".session-item").count(), 1);

    await filter.getByRole("button", { name: "置顶" }).press("Enter");
    await menu("alpha", "标签");
    await page.getByRole("button", { name: "移除标签“later”" }).press("Enter");
    await page.getByRole("dialog").getByRole("button", { name: "保存" }).press("Enter");
    await item("alpha").getByText("工作", { exact: true }).waitFor();
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("what was used is shown on a telephone, by day, agent and model", async () => {
    const { page, context, incidents } = await stage.visit({
      user: "user-of-tokens",
      viewport: { width: 380, height: 740 },
    });
    await answered(page, "first", "one", 1);
    await page.getByLabel("Open the list of conversations").click();
    await page.getByRole("button", { name: "Settings", exact: true }).press("Enter");
    await page.getByRole("menuitem", { name: "Usage" }).press("Enter");
    const dialog = page.getByRole("dialog");
    const total = dialog.locator("tfoot");
    await total.getByText("1,200").waitFor();
    assert.match(await total.innerText(), /Total\s+1\s+1,200\s+34/);
    await dialog.getByRole("button", { name: "Model" }).press("Enter");
    await dialog.locator("tbody", { hasText: "test-model" }).waitFor();
    assert.deepEqual(await faults(page), []);
    const [width, shown] = await dialog.evaluate((element) => [
      element.scrollWidth,
      element.clientWidth,
    ]);
    assert.equal(width, shown);
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("what one conversation has used stands in its menu, in both languages", async () => {
    for (const [locale, menu, entry, total] of [
      ["en-US", "What to do with “second”", "Usage", /Total\s+2\s+2,400\s+68/],
      ["zh-CN", "“second”的操作", "用量", /合计\s+2\s+2,400\s+68/],
    ] as const) {
      const user = `conversation-${locale}`;
      const { page, context, incidents } = await stage.visit({ user, locale });
      await answered(page, "first", "one", 1);
      await page.locator(".new-chat").click();
      await answered(page, "second", "two", 1);
      await answered(page, "third", "three", 2);
      await page.getByRole("button", { name: menu }).press("Enter");
      await page.getByRole("menuitem", { name: entry, exact: true }).press("Enter");
      const dialog = page.getByRole("dialog");
      await dialog.locator("tbody", { hasText: "test-model" }).waitFor();
      assert.match(await dialog.locator("tfoot").innerText(), total);
      assert.equal(await dialog.locator("select").count(), 0);
      assert.deepEqual(await faults(page), []);
      assert.deepEqual(incidents, []);
      await context.close();
    }
  });

  test("what agents remember of somebody is shown, and erased one by one or all at once", async () => {
    const { page, context, incidents } = await stage.visit({ user: "remembered" });
    await withAgentOs(page);
    let memories = ["Likes tea", "Lives in Lyon", "Has a cat"].map((memory, index) => ({
      memory_id: `agno.${index}`,
      memory,
      topics: [],
      agent_ids: ["general-chat"],
      updated_at: "2026-11-01T10:00:00.000Z",
    }));
    await context.route(/\/chat\/memories/, async (route) => {
      const url = new URL(route.request().url());
      assert.equal(url.searchParams.get("user_id"), "remembered");
      const id = url.pathname.split("/memories/")[1];
      if (route.request().method() === "GET") {
        const body = { success: true, memories, count: memories.length, complete: true };
        return route.fulfill({ json: body });
      }
      memories = id === undefined ? [] : memories.filter((each) => each.memory_id !== id);
      return route.fulfill({ json: { success: true, deleted: 1, pending: id === undefined } });
    });
    await page.getByText("What can I do for you?").waitFor();
    await page.getByRole("button", { name: "Settings", exact: true }).press("Enter");
    await page.getByRole("menuitem", { name: "What agents remember of me" }).press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Lives in Lyon").waitFor();
    assert.deepEqual(await faults(page), []);
    await dialog.locator("li", { hasText: "Likes tea" }).getByLabel("Erase this").click();
    await dialog.getByText("Likes tea").waitFor({ state: "detached" });
    assert.equal(await dialog.locator("li").count(), 2);
    await page.evaluate(() => void (window.confirm = () => true));
    await dialog.getByRole("button", { name: "Erase everything" }).click();
    await dialog.getByText("Nothing is remembered.").waitFor();
    await dialog.getByText("until it has forgotten").waitFor();
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("documents that agents look things up in are shown, added and removed", async () => {
    const { page, context, incidents } = await stage.visit({ user: "reader" });
    await withAgentOs(page);
    const document = (name: string, status: string) => ({
      document_id: name,
      name,
      media_type: "text/plain",
      size: 4,
      status,
      updated_at: null,
    });
    let mayChange = true;
    let documents = [document("cats.txt", "completed"), document("dogs.txt", "failed")];
    await context.route(/\/chat\/knowledge/, async (route) => {
      const request = route.request();
      const id = new URL(request.url()).pathname.split("/documents/")[1];
      if (request.method() === "POST") {
        const { name, data } = request.postDataJSON() as { name: string; data: string };
        assert.equal(Buffer.from(data, "base64").toString(), "Birds fly.");
        documents.push(document(name, "processing"));
        return route.fulfill({ json: { success: true, document_id: name, status: "processing" } });
      }
      if (request.method() === "DELETE") {
        documents = documents.filter((each) => each.document_id !== id);
        return route.fulfill({ json: { success: true } });
      }
      const handbook = {
        knowledge_id: "agno.1",
        name: "Handbook",
        description: "What everybody should know",
        agent_ids: ["general-chat"],
        documents,
      };
      const shown = { knowledge: [handbook], may_change: mayChange, complete: true };
      await route.fulfill({ json: { success: true, ...shown } });
      // Read, once somebody has seen that it is not.
      documents = documents.map((each) =>
        each.status === "processing" ? document(each.name, "completed") : each,
      );
    });
    await page.getByText("What can I do for you?").waitFor();
    await page.getByRole("button", { name: "Settings", exact: true }).press("Enter");
    await page.getByRole("menuitem", { name: "What agents look things up in" }).press("Enter");
    const dialog = page.getByRole("dialog");
    const row = (name: string) => dialog.locator("li", { hasText: name });
    await row("cats.txt").getByText("can be found").waitFor();
    await row("dogs.txt").getByText("could not be read").waitFor();
    assert.deepEqual(await faults(page), []);
    await dialog.locator("input[type=file]").setInputFiles({
      name: "birds.txt",
      mimeType: "text/plain",
      buffer: Buffer.from("Birds fly."),
    });
    await row("birds.txt").getByText("can be found").waitFor();
    await page.evaluate(() => void (window.confirm = () => true));
    await dialog.getByLabel("Remove dogs.txt").click();
    await row("dogs.txt").waitFor({ state: "detached" });
    assert.equal(await dialog.locator("li").count(), 2);
    // Who may not change them is offered nothing that would be refused.
    mayChange = false;
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Settings", exact: true }).press("Enter");
    await page.getByRole("menuitem", { name: "What agents look things up in" }).press("Enter");
    await row("cats.txt").waitFor();
    assert.equal(await dialog.getByLabel(/^(Remove|Add documents)/).count(), 0);
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("what a long conversation was put into stands folded at its place, in both languages", async () => {
    const session = await stage.client.session("folder");
    const history = `/chat/history/${session}`;
    const summary = async () =>
      (
        await stage.client.get<{ messages: { role: string; content: string }[] }>(history)
      ).body.messages.find(({ role }) => role === "system");
    let dropped = 0;
    // Answers, and the summary, whose time is not known.
    stage.model.enqueue(
      ...Array.from({ length: 40 }, () => ({ tokens: ["In short."], usage: null })),
    );
    for (let turn = 0; dropped === 0; turn += 1) {
      const message = `turn ${turn} ${"word ".repeat(500)}`;
      const { body } = await stage.client.send<{ context: { dropped: number } }>(
        "POST",
        "/chat/message",
        { session_id: session, message },
      );
      ({ dropped } = body.context);
    }
    await expect.poll(summary).toBeDefined();
    const { content = "" } = (await summary()) ?? {};
    for (const [locale, label] of [
      ["en-US", "Summary of what was said before"],
      ["zh-CN", "此前对话的摘要"],
    ] as const) {
      const { page, context, incidents } = await stage.visit({ user: "folder", locale });
      await page.locator(".session-open").first().click();
      const fold = page.locator("summary", { hasText: label });
      await fold.waitFor();
      const text = page.locator("details", { has: fold }).locator(".reasoning-text");
      assert.equal(await text.isVisible(), false);
      await fold.focus();
      await page.keyboard.press("Enter");
      await text.waitFor();
      assert.equal((await text.textContent())?.trim(), content.trim());
      assert.deepEqual(await faults(page), []);
      assert.deepEqual(incidents, []);
      await context.close();
    }
  });
});
