import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { en } from "../../web/src/text/en.ts";
import { zh } from "../../web/src/text/zh.ts";
import { faults } from "./axe.ts";
import { describeInBrowser } from "./browser.ts";
import { layoutFaults, wordsOf } from "./layout-faults.ts";
import { composer, gate, openStage, redSquare, type Stage } from "./stage.ts";

const user = "zephyr";
const title = "Zephyr conversation, whose title is longer than any list of conversations is wide";
const longWord = "donaudampfschifffahrtsgesellschaftskapitaen".repeat(8);
const fileName = `${"quarterly_".repeat(12)}figures.txt`;
const answer = [
  "# Zephyr heading",
  `A ${longWord} word, and https://a.example/${"path/".repeat(60)} too.`,
  `\`\`\`ts\nconst zephyr = "${"x".repeat(300)}";\n\`\`\``,
  `| ${"column | ".repeat(14)}\n|${"-|".repeat(14)}\n| ${"zephyr_cell | ".repeat(14)}`,
  "- [x] done\n- [ ] open",
  `$$\n${String.raw`\sum_{i=1}^{n} z_{i}^{2} + `.repeat(9)} z\n$$`,
  "> quoted",
].join("\n\n");
const texts = { en, zh } as const;
type Language = keyof typeof texts;
const locales = { en: "en-US", zh: "zh-CN" } as const;
const widths = [390, 768, 1440];

/** What the service says of its insides, what others have said, and the switch to the other language. */
const notOfThePage =
  "textarea, .failure, .markdown, .message-text, .hits, kbd, .sheet td, .figures dd, .counts dt, .dependencies p, .language-switch";
const names = ["red.png", "test-model", "completed failed partial"];
const units = ["ms", "MB", "UTC"];
const latin = /[A-Za-z]{2,}/g;

function latinIn(said: readonly string[]): string[] {
  return said.flatMap((text) => text.match(latin) ?? []);
}

/** All texts; of those that are made from something, what surrounds it. */
function all(part: object): string[] {
  return Object.values(part).flatMap((text: unknown): string[] => {
    if (typeof text === "string") return [text];
    if (typeof text === "function") return String(text).match(/(?<=["`}])[^"`${}]+/g) ?? [];
    return typeof text === "object" && text !== null ? all(text) : [];
  });
}

describeInBrowser("every view", () => {
  let stage: Stage;
  let sessionId: string;
  let share: string;
  const never = gate();

  beforeAll(async () => {
    stage = await openStage({
      MODELS_AGENTS: JSON.stringify([
        { id: "zephyr", name: "Zephyr", description: longWord, tools: ["calculator"] },
      ]),
    });
    const { client, model } = stage;
    const post = async <T>(path: string, body: object = {}) => {
      const answered = await client.send<T>("POST", path, body, { accept: "application/json" });
      assert.equal(answered.status, 200, JSON.stringify(answered.body));
      return answered.body;
    };
    sessionId = await client.session(user, { agent_id: "zephyr", session_config: { title } });
    model.enqueue(
      {
        reasoning: [`Zephyr ${longWord}`],
        toolCalls: [{ name: "calculator", arguments: { expression: "1 + 2" } }],
      },
      { tokens: [answer] },
      { tokens: [answer] },
    );
    const { message_id: replyId } = await post<{ message_id: string }>("/chat/message", {
      session_id: sessionId,
      message: `zephyr ${longWord}\n${answer}`,
      attachments: [
        { name: "red.png", media_type: "image/png", data: redSquare.toString("base64") },
        { name: fileName, media_type: "text/plain", data: btoa("zephyr") },
      ],
    });
    await post(`/chat/message/${replyId}/regenerate`);
    await client.send("PATCH", `/sessions/${sessionId}`, { tags: ["zephyr", "quarterly"] });
    share = (await post<{ url: string }>(`/sessions/${sessionId}/share`)).url;
    await client.send("PUT", `/chat/message/${replyId}/feedback`, {
      rating: "down",
      comment: `zephyr ${longWord}`,
    });
  }, 120_000);
  afterAll(async () => {
    never.open();
    await stage?.close();
  });

  /** What AgentOS would tell. */
  async function withAgentOs(page: Page): Promise<void> {
    await page.route(/\/health\/config$/, async (route) => {
      const response = await route.fetch();
      const config = (await response.json()) as { features: object };
      const features = { ...config.features, agno_integration: true };
      await route.fulfill({ response, json: { ...config, features } });
    });
    const agents = { agent_ids: ["zephyr"], updated_at: "2026-11-01T10:00:00.000Z" };
    const memories = [{ ...agents, memory_id: "agno.1", memory: `zephyr ${longWord}`, topics: [] }];
    await page.route(/\/chat\/memories/, (route) =>
      route.fulfill({ json: { success: true, memories, count: 1, complete: false } }),
    );
    const documents = ["completed", "failed", "partial"].map((status) => ({
      document_id: status,
      name: `${status}_${fileName}`,
      media_type: "text/plain",
      size: 4,
      status,
      updated_at: null,
    }));
    const knowledge = [
      { ...agents, knowledge_id: "agno.1", name: "Zephyr", description: longWord, documents },
    ];
    await page.route(/\/chat\/knowledge/, (route) =>
      route.fulfill({ json: { success: true, knowledge, may_change: true, complete: false } }),
    );
  }

  const ready = async (page: Page) => {
    await page.locator(".agent-card, .message").first().waitFor();
    await page.locator(".session-title").first().waitFor({ state: "attached" });
  };
  const side = async (page: Page, language: Language) => {
    await ready(page);
    const opener = page.getByLabel(texts[language].openMenu);
    if (await opener.isVisible()) {
      await opener.click();
      await page.locator(".side-bar.open").waitFor();
    }
  };
  const ofSession = async (page: Page, language: Language, entry?: string) => {
    await side(page, language);
    await page.locator(".session-menu button").first().press("Enter");
    await page.getByRole("menu").waitFor();
    if (entry === undefined) return;
    await page.getByRole("menuitem", { name: entry, exact: true }).press("Enter");
    await page.getByRole("dialog").waitFor();
  };
  const ofPage = async (page: Page, language: Language, entry?: string) => {
    await side(page, language);
    await page.getByRole("button", { name: texts[language].settings, exact: true }).press("Enter");
    await page.getByRole("menu").waitFor();
    if (entry === undefined) return;
    await page.getByRole("menuitem", { name: entry, exact: true }).press("Enter");
    await page.getByRole("dialog").waitFor();
  };
  const conversation = async (page: Page) => {
    await page.locator(".message.assistant .katex").waitFor();
    await page.locator(".message.assistant .hljs-keyword").waitFor();
  };

  interface View {
    readonly name: string;
    readonly path: () => string;
    readonly open: (page: Page, language: Language) => Promise<void>;
  }
  const start = () => "/";
  const filled = () => `/?session=${sessionId}`;
  const views: readonly View[] = [
    {
      name: "start",
      path: start,
      async open(page) {
        await ready(page);
        await page.locator("input[type=file]").setInputFiles([
          { name: "red.png", mimeType: "image/png", buffer: redSquare },
          { name: fileName, mimeType: "text/plain", buffer: Buffer.from("zephyr") },
        ]);
        await composer(page).fill(`zephyr ${longWord.repeat(20)}`.slice(0, 4_000));
        await page.locator(".files.draft li").nth(1).waitFor();
      },
    },
    {
      name: "conversation-top",
      path: filled,
      async open(page) {
        await conversation(page);
        await page.locator(".messages").evaluate((frame) => frame.scrollTo(0, 0));
        await page.locator(".message.user .file-picture").waitFor();
      },
    },
    {
      name: "conversation-end",
      path: filled,
      async open(page, language) {
        await conversation(page);
        await page.locator(".message.assistant").getByLabel(texts[language].details).click();
        await page.locator(".messages").evaluate((frame) => frame.scrollTo(0, frame.scrollHeight));
      },
    },
    {
      name: "failed-running-and-waiting",
      path: start,
      async open(page) {
        const { client, model } = stage;
        const id = await client.session(user, {
          agent_id: "zephyr",
          session_config: { title },
        });
        model.enqueue(
          { tokens: ["zephyr"], fault: { kind: "error_frame", error: { message: longWord } } },
          {
            tokens: ["zephyr", "zephyr"],
            pace: (at) => (at === 1 ? never.opened : undefined),
          },
        );
        await (await client.stream({ session_id: id, message: "zephyr" })).all();
        await client.stream({ session_id: id, message: "zephyr" });
        await client.stream({ session_id: id, message: `zephyr ${longWord}` });
        await page.goto(`${stage.service.url}/?session=${id}`);
        await page.locator(".message.streaming").waitFor();
        await page.locator(".message.queued").waitFor();
        await composer(page).fill("zephyr");
      },
    },
    {
      name: "search-everything",
      path: start,
      async open(page) {
        await ready(page);
        await page.keyboard.press("Control+k");
        await page.getByRole("dialog").locator("input").fill("zephyr");
        await page.locator(".search-everything mark").first().waitFor();
      },
    },
    {
      name: "search-here",
      path: filled,
      async open(page, language) {
        await conversation(page);
        await page.getByLabel(texts[language].searchMessages).click();
        await page.locator(".search-field input").fill("zephyr");
        await page.locator(".hits mark").first().waitFor();
      },
    },
    { name: "session-menu", path: start, open: (page, language) => ofSession(page, language) },
    {
      name: "usage",
      path: start,
      async open(page, language) {
        await ofPage(page, language, texts[language].usage.title);
        await page.locator("dialog tfoot").waitFor();
      },
    },
    {
      name: "share",
      path: start,
      open: (page, language) => ofSession(page, language, texts[language].share.menu),
    },
    { name: "settings-menu", path: start, open: (page, language) => ofPage(page, language) },
    {
      name: "settings",
      path: filled,
      async open(page, language) {
        await conversation(page);
        await page.getByLabel(texts[language].conversationSettings).click();
        await page.getByRole("dialog").waitFor();
      },
    },
    {
      name: "memories",
      path: start,
      async open(page, language) {
        await ofPage(page, language, texts[language].memories.title);
        await page.locator("dialog li").first().waitFor();
      },
    },
    {
      name: "knowledge",
      path: start,
      async open(page, language) {
        await ofPage(page, language, texts[language].knowledge.title);
        await page.locator("dialog li").first().waitFor();
      },
    },
    {
      name: "shortcuts",
      path: start,
      open: (page, language) => ofPage(page, language, texts[language].shortcuts.title),
    },
    {
      name: "shared",
      path: () => share,
      async open(page) {
        await page.getByText("Zephyr heading").first().waitFor();
      },
    },
    {
      name: "status",
      path: () => "/status",
      async open(page) {
        await page.locator(".chart canvas").first().waitFor();
        await page.locator(".dependencies li").first().waitFor();
        await page.locator("[data-chapter]").first().waitFor();
        for (const chapter of await page.locator("[data-chapter]").all()) {
          await chapter.locator("summary").click();
          await chapter.locator("tbody tr, p.quiet").first().waitFor();
        }
      },
    },
  ];

  test.each(["en", "zh"] as const)(
    "fits every width, light and dark, and speaks one language: %s",
    async (language) => {
      const { page, context, incidents } = await stage.visit({ user, locale: locales[language] });
      // There are machines that draw a view for longer than most tests take.
      page.setDefaultTimeout(60_000);
      await withAgentOs(page);
      const { body: agents } = await stage.client.get("/chat/agents");
      const known = new Set(
        latinIn([
          ...all(zh),
          ...all(agents),
          ...names,
          ...units,
          user,
          title,
          fileName,
          answer,
          longWord,
        ]),
      );
      const found: string[] = [];
      for (const { name, path, open } of views) {
        // As phones have it; what is open then stays so while the window grows.
        await page.setViewportSize({ width: 390, height: 800 });
        await page.goto(stage.service.url + path());
        await open(page, language);
        const note = (what: readonly string[]) =>
          found.push(...what.map((each) => `${name}: ${each}`));
        note(await faults(page));
        const said = await wordsOf(page, notOfThePage);
        note(
          language === "en"
            ? said.filter((text) => /\p{Script=Han}/u.test(text))
            : said.filter((text) => latinIn([text]).some((word) => !known.has(word))),
        );
        for (const width of widths) {
          await page.setViewportSize({ width, height: 800 });
          for (const colorScheme of ["light", "dark"] as const) {
            await page.emulateMedia({ colorScheme });
            note((await layoutFaults(page)).map((each) => `${width} ${colorScheme}: ${each}`));
          }
          await page.emulateMedia({ colorScheme: "light" });
        }
      }
      assert.deepEqual(found, []);
      assert.deepEqual(incidents, []);
      await context.close();
    },
    300_000,
  );
});
