import assert from "node:assert/strict";
import { afterAll, beforeAll, test } from "vitest";
import { describeInBrowser } from "./browser.ts";
import { createFilledDataDir, filledSession } from "./filled-data.ts";
import { openStage, type Stage } from "./stage.ts";

const maxScriptBytes = 250 * 1024;
const turns = 1_000;
const user = "long";

describeInBrowser("the page stays light", () => {
  let stage: Stage;

  beforeAll(async () => {
    const rows = Array.from({ length: turns }, (_, index) => [
      { role: "user" as const, content: `question ${index}` },
      {
        role: "assistant" as const,
        content: "An answer of some length, with **marks**.\n\n- one\n- two",
      },
    ]);
    stage = await openStage({}, await createFilledDataDir(user, rows.flat()));
  }, 120_000);
  afterAll(() => stage?.close());

  test("what the first view needs, and that browsers keep it", async () => {
    const { page, context } = await stage.visit();
    await page.locator(".agent-card").first().waitFor();
    const scripts = await page.evaluate(() =>
      (performance.getEntriesByType("resource") as PerformanceResourceTiming[])
        .filter(({ name }) => name.endsWith(".js"))
        .map(({ name, encodedBodySize, decodedBodySize }) => ({
          name,
          encodedBodySize,
          decodedBodySize,
        })),
    );
    const bytes = scripts.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0);
    assert.ok(bytes > 50_000 && bytes < maxScriptBytes, `${bytes} bytes of script`);
    for (const { name, encodedBodySize, decodedBodySize } of scripts) {
      assert.ok(encodedBodySize < decodedBodySize, `${name} is compressed`);
      const { headers } = await fetch(name);
      assert.equal(headers.get("cache-control"), "public, max-age=31536000, immutable");
    }
    await context.close();
  });

  test(`of ${turns * 2} messages only a window is drawn, and scrolling brings the others`, async () => {
    const { page, context, incidents } = await stage.visit({
      user,
      path: `/?session=${filledSession}`,
    });
    await page.locator(".bubble", { hasText: `question ${turns - 1}` }).waitFor();
    const result = await page.evaluate(async () => {
      const frame = document.querySelector(".messages");
      if (frame === null) throw new Error("no messages");
      const frameTimes: number[] = [];
      let most = 0;
      let last = performance.now();
      let isOver = false;
      const measure = (now: number) => {
        frameTimes.push(now - last);
        last = now;
        most = Math.max(most, document.querySelectorAll(".message").length);
        if (!isOver) requestAnimationFrame(measure);
      };
      requestAnimationFrame(measure);
      const isFirst = () =>
        [...document.querySelectorAll(".bubble")].some(
          ({ textContent }) => textContent === "question 0",
        );
      while (!isFirst()) {
        frame.scrollTop -= 700;
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      isOver = true;
      frameTimes.sort((left, right) => left - right);
      return {
        most,
        frames: frameTimes.length,
        median: frameTimes[Math.floor(frameTimes.length / 2)],
      };
    });
    assert.ok(result.most < 80, `${result.most} messages drawn at once`);
    process.stderr.write(`scrolling through ${turns * 2} messages: ${JSON.stringify(result)}\n`);
    assert.deepEqual(incidents, []);
    await context.close();
  });
});
