import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { problemCatalogue, type ProblemType } from "../../src/problems/catalogue.ts";
import { isKnown, remedies } from "../../web/src/state/remedies.ts";
import { en } from "../../web/src/text/en.ts";
import { zh } from "../../web/src/text/zh.ts";
import { faults } from "./axe.ts";
import { describeInBrowser } from "./browser.ts";
import { createFilledDataDir, filledSession } from "./filled-data.ts";
import { composer, openStage, say, type Stage } from "./stage.ts";

const types = Object.keys(problemCatalogue) as ProblemType[];
const languages = { "en-US": en, "zh-CN": zh } as const;
const user = "unlucky";

test("each type has words of its own in both languages, and something that helps", () => {
  for (const type of types) {
    assert.ok(isKnown(type), type);
    assert.ok(remedies[type].length > 0, type);
    assert.notEqual(en.problems[type], zh.problems[type], type);
  }
  for (const { problems } of Object.values(languages)) {
    assert.equal(new Set(Object.values(problems)).size, types.length);
  }
});

/** As the service tells it; what it was built from is another's matter. */
function told(type: ProblemType) {
  const { status } = problemCatalogue[type];
  return { type, status, message: `the details of ${type}` };
}

describeInBrowser("what goes wrong", () => {
  let stage: Stage;

  beforeAll(async () => {
    const rows = types.flatMap((type) => [
      { role: "user" as const, content: `asked before ${type}` },
      {
        role: "assistant" as const,
        content: "",
        status: type === "interrupted" ? ("interrupted" as const) : ("failed" as const),
        error: { type, code: told(type).status, message: told(type).message },
      },
    ]);
    stage = await openStage({}, await createFilledDataDir(user, rows), ["small", "large"]);
  }, 120_000);
  afterAll(() => stage?.close());

  test.each(["en-US", "zh-CN"] as const)(
    "a reply of each type says why in %s, and offers what helps",
    async (locale) => {
      const texts = languages[locale];
      const { page, context, incidents } = await stage.visit({
        user,
        locale,
        path: `/?session=${filledSession}`,
        viewport: { width: 900, height: 3_000 },
      });
      await page.locator(".failure").first().waitFor();
      assert.deepEqual(await faults(page), []);
      const seen = new Map<string, { readonly title: string; readonly offered: string }>();
      await page.mouse.move(500, 1_500);
      while (seen.size < types.length) {
        const notes = await page.locator(".failure").evaluateAll((elements) =>
          elements.map((element) => ({
            title: element.querySelector("strong")?.textContent ?? "",
            detail: element.querySelector("p")?.textContent ?? "",
            offered: element.querySelector(".remedies")?.textContent ?? "",
          })),
        );
        for (const { detail, ...note } of notes) seen.set(detail, note);
        await page.mouse.wheel(0, -1_500);
        await page.waitForTimeout(50);
      }
      for (const type of types) {
        const { title, offered = "" } = seen.get(`the details of ${type}`) ?? {};
        assert.equal(title, texts.problems[type]);
        // Nobody signs in where nobody has to, and a conversation that is shown is not away.
        const able = remedies[type].filter((each) => each !== "signIn" && each !== "activate");
        for (const remedy of able) {
          assert.ok(offered.includes(texts.remedies[remedy]), `${type}: ${remedy} in ${offered}`);
        }
      }
      assert.deepEqual(incidents, []);
      await context.close();
    },
    60_000,
  );

  /** The next message is answered with this. */
  const refuse = async (page: Page, type: ProblemType, headers: Record<string, string> = {}) => {
    const { status, message } = told(type);
    await page.route(
      "**/chat/message/stream",
      (route) =>
        route.fulfill({
          status,
          headers: { "content-type": "application/json", ...headers },
          body: JSON.stringify({ success: false, error: { type, message } }),
        }),
      { times: 1 },
    );
  };

  /** These pass by themselves: the page waits and tries again. 401 brings the sign-in. */
  const passing = new Set<ProblemType>([
    "agent_unavailable",
    "interrupted",
    "overloaded",
    "rate_limited",
    "shutting_down",
    "storage_unavailable",
    "unauthorized",
  ]);

  test.each(["en-US", "zh-CN"] as const)(
    "a message that is refused for each type stays, says why in %s, and can be sent again",
    async (locale) => {
      const texts = languages[locale];
      const { page, context, incidents } = await stage.visit({ locale });
      await say(page, "hello");
      await page.locator(".message.complete.assistant").waitFor();
      for (const type of types.filter((each) => !passing.has(each))) {
        await refuse(page, type);
        await say(page, `words for ${type}`);
        const entry = page.locator(".pending", { hasText: `words for ${type}` });
        await entry.getByText(texts.problems[type], { exact: true }).waitFor();
        const shown = await entry.innerText();
        assert.ok(shown.includes(`the details of ${type}`), shown);
        for (const offered of [texts.sendAgain, texts.edit, texts.discard]) {
          assert.ok(shown.includes(offered), `${type}: ${offered} in ${shown}`);
        }
        await entry.getByRole("button", { name: texts.discard }).click();
        await entry.waitFor({ state: "detached" });
      }
      assert.deepEqual(incidents, []);
      await context.close();
    },
    60_000,
  );

  test("what was refused goes out when it is sent again, taken back, or sent to another conversation", async () => {
    const { page, context } = await stage.visit();
    await say(page, "hello");
    await page.locator(".message.complete.assistant").waitFor();
    await refuse(page, "queue_full");
    await say(page, "once more");
    await page.locator(".pending").getByText("Send again").click();
    await page.locator(".message.complete", { hasText: "You said: once more" }).waitFor();

    // What is being written meanwhile is not lost to what comes back.
    await refuse(page, "validation_failed");
    await say(page, "not like this");
    await page.locator(".pending .failure").waitFor();
    await composer(page).fill("written meanwhile");
    await page.locator(".pending").getByText("Edit", { exact: true }).click();
    await page.locator(".pending").waitFor({ state: "detached" });
    assert.equal(await composer(page).inputValue(), "not like this\n\nwritten meanwhile");
    await page.reload();
    await page.locator(".message.complete.assistant").first().waitFor();
    assert.equal(await composer(page).inputValue(), "not like this\n\nwritten meanwhile");
    await composer(page).fill("");

    await refuse(page, "session_not_found");
    await say(page, "to wherever");
    await page.locator(".pending").getByText("In another conversation").click();
    await page.getByText("What can I do for you?").waitFor();
    assert.equal(await composer(page).inputValue(), "to wherever");
    await context.close();
  });

  test("a conversation that was archived meanwhile is brought back, and the message goes out", async () => {
    const { page, context } = await stage.visit({ user: "archivist" });
    await say(page, "hello");
    await page.locator(".message.complete.assistant").waitFor();
    await refuse(page, "session_archived");
    await say(page, "after all");
    await page.locator(".pending").getByText("Bring the conversation back").click();
    await page.locator(".message.complete", { hasText: "You said: after all" }).waitFor();
    await context.close();
  });

  test("where one has to wait, the time is told and counted, and then it goes on by itself", async () => {
    const { page, context } = await stage.visit();
    await say(page, "hello");
    await page.locator(".message.complete.assistant").waitFor();
    await refuse(page, "rate_limited", { "retry-after": "3" });
    await say(page, "too fast");
    const entry = page.locator(".pending", { hasText: "too fast" });
    await entry.getByText(/Trying again in [123] s/).waitFor();
    await page.locator(".message.complete", { hasText: "You said: too fast" }).waitFor();
    await refuse(page, "budget_exceeded", { "retry-after": "40000" });
    await say(page, "too much");
    await page
      .locator(".pending", { hasText: "too much" })
      .getByText(/Possible again at/)
      .waitFor();
    await context.close();
  });

  test("a failed reply is asked for again with another model, which then stands beside it", async () => {
    const { page, context } = await stage.visit();
    stage.model.setRespond(() => ({ fault: { kind: "status", status: 400, body: "no" } }));
    await say(page, "fail please");
    const failed = page.locator(".message.assistant.failed");
    await failed.locator(".failure").waitFor();
    stage.model.setRespond(() => ({ tokens: ["Fine"] }));
    await failed.locator(".failure .again-with .menu-button").click();
    await page.getByRole("menuitem", { name: "large" }).click();
    await page.locator(".message.complete .model-name", { hasText: "large" }).waitFor();
    await page.locator(".message.assistant .versions", { hasText: "2/2" }).waitFor();
    await context.close();
  });

  test("what could not be done is offered to be tried again, in the page's language", async () => {
    const { page, context } = await stage.visit({ locale: "zh-CN" });
    await say(page, "hello");
    await page.locator(".message.complete.assistant").waitFor();
    await context.setOffline(true);
    await page.getByLabel(zh.retry).click();
    const notice = page.locator(".notice.error");
    await notice.getByText(zh.notReached).waitFor();
    await context.setOffline(false);
    await notice.getByRole("button", { name: zh.remedies.again }).click();
    await page.locator(".message.assistant .versions", { hasText: "2/2" }).waitFor();
    await context.close();
  });
});
