import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "vitest";
import { silentLogger } from "../../../telemetry/logger.ts";
import { createDocumentation } from "./documentation.ts";
import { messageLanguage } from "./message-language.ts";

const packageRoot = join(import.meta.dirname, "../../../..");
const answered = 0.5;

describe("the pages of this package", () => {
  const documentation = createDocumentation(packageRoot, silentLogger);

  test.each([
    ["How do I resume a stream?", "api.md", "Resuming a stream"],
    ["how can I cancel a running reply?", "getting-started.md", "Cancel a reply"],
    ["How do I connect Agno?", "getting-started.md", "Connect Agno (AgentOS)"],
    ["What is an Idempotency-Key?", "api.md", "Sending twice: Idempotency-Key"],
    ["如何取消正在进行的回复？", "getting-started.zh-CN.md", "取消回复"],
    ["断线后如何续传？", "getting-started.zh-CN.md", "断线续传与跟随回复"],
    ["怎样连接模型", "getting-started.zh-CN.md", "连接模型"],
    ["如何修改端口", "getting-started.zh-CN.md", "修改端口或监听地址"],
  ])("answer: %s", async (question, file, heading) => {
    const language = messageLanguage(question, "en");
    const [best] = await documentation.search(question, language, 1);
    assert.equal(best?.file, `docs/${file}`);
    assert.equal(best.headings.at(-1), heading);
    assert.ok(best.coverage >= answered);
  });

  test.each([
    "What is the capital of France?",
    "Write a poem about the sea",
    "Tell me a joke",
    "How are you today?",
    "Explain quantum entanglement",
    "红烧肉怎么做",
    "今天天气怎么样",
    "写一首关于春天的诗",
    "constructor",
    "",
    "？！",
  ])("say nothing on: %s", async (question) => {
    const found = await documentation.search(question, messageLanguage(question, "en"), 5);
    assert.ok(found.every((passage) => passage.coverage < answered));
  });

  test("a Chinese question finds what is only described in English", async () => {
    const [best] = await documentation.search("分页怎么用", "zh", 1);
    assert.equal(best?.headings.at(-1), "Pagination");
    assert.equal(best.language, "en");
  });

  test("a very long question is answered in bounded time", async () => {
    const question = "resume stream 续传 ".repeat(50_000);
    assert.ok((await documentation.search(question, "en", 3)).length > 0);
  });
});

describe("a folder of pages", () => {
  let root = "";
  afterEach(() => rm(root, { recursive: true, force: true }));

  async function pages(files: Record<string, string>): Promise<string> {
    root = await mkdtemp(join(tmpdir(), "documentation-"));
    for (const [name, text] of Object.entries(files)) {
      const path = join(root, name);
      await mkdir(join(path, ".."), { recursive: true });
      await writeFile(path, text);
    }
    return root;
  }

  test("README files at the root and every page below docs/ are read, nothing else", async () => {
    const documentation = createDocumentation(
      await pages({
        "README.md": "# Home\n\nwombat",
        "CHANGELOG.md": "# Changes\n\nwombat",
        "docs/deep/down/page.md": "# Deep\n\nwombat",
        "docs/notes.txt": "# Notes\n\nwombat",
      }),
      silentLogger,
    );
    const found = await documentation.search("wombat", "en", 10);
    assert.deepEqual(found.map(({ file }) => file).sort(), ["README.md", "docs/deep/down/page.md"]);
  });

  test("what stands in the text counts more than what stands in an example", async () => {
    const documentation = createDocumentation(
      await pages({
        "docs/a.md": "# One\n\n```\nwombat wombat wombat\n```",
        "docs/b.md": "# Two\n\nA wombat is kept here, among other things.",
      }),
      silentLogger,
    );
    const found = await documentation.search("wombat", "en", 10);
    assert.deepEqual(
      found.map(({ file }) => file),
      ["docs/b.md", "docs/a.md"],
    );
  });

  test("a passage that has all of the question comes before one that has a part of it often", async () => {
    const documentation = createDocumentation(
      await pages({
        "docs/a.md": "# Wombat wombat\n\nwombat wombat wombat",
        "docs/b.md":
          "# Feeding\n\nHere is how to groom a wombat of a certain age with some patience.",
        "docs/c.md": "# Other\n\nA numbat, an age.",
      }),
      silentLogger,
    );
    const [best] = await documentation.search("How do I groom a wombat?", "en", 1);
    assert.equal(best?.file, "docs/b.md");
  });

  test("without pages nothing is found and nothing raised", async () => {
    const documentation = createDocumentation(join(await pages({}), "missing"), silentLogger);
    assert.deepEqual(await documentation.search("resume", "en", 3), []);
    assert.deepEqual(await documentation.topics("zh"), []);
  });

  test("pages that are too long are left out", async () => {
    const documentation = createDocumentation(
      await pages({
        "docs/big.md": `# Big\n\n${"wombat ".repeat(100_000)}`,
        "docs/a.md": "# A\n\nx",
      }),
      silentLogger,
    );
    assert.deepEqual(await documentation.search("wombat", "en", 3), []);
  });
});
