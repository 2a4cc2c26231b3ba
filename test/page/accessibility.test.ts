import assert from "node:assert/strict";
import { afterAll, beforeAll, test } from "vitest";
import { faults } from "./axe.ts";
import { describeInBrowser } from "./browser.ts";
import { gate, openStage, redSquare, say, type Stage } from "./stage.ts";

describeInBrowser("everybody can use the page", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.close());

  test("axe finds nothing serious, neither light nor dark", async () => {
    const { page, context } = await stage.visit({ colorScheme: "light" });
    await page.locator(".agent-card").first().waitFor();
    await page
      .locator("input[type=file]")
      .setInputFiles({ name: "red.png", mimeType: "image/png", buffer: redSquare });
    await page.getByLabel("Remove red.png").waitFor();
    assert.deepEqual(await faults(page), []);

    stage.model.enqueue({
      reasoning: ["hm"],
      tokens: [
        "# Title\n\n| a | b |\n|-|-|\n| 1 | 2 |\n\n```ts\n// note\nconst x = 'y';\n```\n\n- [x] done\n\n\\(x^2\\) [link](https://a.example) ![i](https://a.example/i.png)\n\n> quote",
      ],
    });
    await say(page, "show everything");
    await page.locator(".message.assistant.complete .hljs-keyword").waitFor();
    await page.locator(".message.user .file-picture").waitFor();
    await page.locator(".message.assistant").getByLabel("Details").click();
    await page.locator(".reasoning summary").click();
    assert.deepEqual(await faults(page), []);

    const never = gate();
    stage.model.enqueue({
      tokens: ["a", "b"],
      pace: (at) => (at === 1 ? never.opened : undefined),
    });
    await say(page, "long");
    await page.locator(".message.streaming").waitFor();
    await say(page, "next");
    await page.locator(".message.queued").waitFor();
    assert.deepEqual(await faults(page), []);
    await page.getByLabel("Stop").click();
    await page.locator(".message.cancelled").waitFor();

    await page.getByLabel("Search in this conversation").click();
    await page.locator(".search-field input").fill("everything");
    await page.locator(".hits mark").first().waitFor();
    assert.deepEqual(await faults(page), []);
    await page.locator(".search-field input").press("Escape");

    await page.keyboard.press("Control+k");
    await page.keyboard.type("everything");
    await page.locator(".search-everything mark").first().waitFor();
    assert.deepEqual(await faults(page), []);
    await page.keyboard.press("Escape");

    await page.getByLabel("Settings of this conversation").click();
    await page.getByRole("dialog").waitFor();
    assert.deepEqual(await faults(page), []);
    await page.keyboard.press("Escape");

    await page.getByRole("button", { name: "Settings", exact: true }).click();
    await page.getByRole("menu").waitFor();
    assert.deepEqual(await faults(page), []);

    await page.goto(`${stage.service.url}/status`);
    await page.locator(".chart canvas").first().waitFor();
    await page.locator(".dependencies li").first().waitFor();
    assert.deepEqual(await faults(page), []);
    await context.close();
  });

  test("a screen reader is told sentence after sentence, without Markdown, while the reply grows", async () => {
    const { page, context } = await stage.visit();
    const rest = gate();
    stage.model.enqueue({
      tokens: [
        "# Said aloud\n\nThis is **bold**. And `this` is code.\n\n",
        "```ts\nconst x = 1;\n```\n\n",
        "| a | b |\n|:-:|--:|\n| 1 | 2 |\n\nSpoken ",
        "in one piece.",
      ],
      pace: (at) => (at === 3 ? rest.opened : undefined),
    });
    await say(page, "read to me");
    const said = page.locator("[aria-live=polite] p");
    await said.getByText("a, b").waitFor({ state: "attached" });
    assert.deepEqual(await said.allTextContents(), [
      "Writing",
      "Said aloud",
      "This is bold.",
      "And this is code.",
      "Code in ts, 1 line.",
      "a, b",
      "1, 2",
    ]);
    rest.open();
    await said.getByText("Spoken in one piece.").waitFor({ state: "attached" });
    assert.equal(await said.count(), 8);
    assert.equal(await page.locator("[role=log]").getAttribute("aria-live"), "off");

    const never = gate();
    stage.model.enqueue({
      tokens: ["a", "b"],
      pace: (at) => (at === 1 ? never.opened : undefined),
    });
    await say(page, "long");
    await page.locator(".message.streaming").waitFor();
    await page.getByLabel("Stop").click();
    await said.getByText("Stopped").waitFor({ state: "attached" });
    await context.close();
  });
});
