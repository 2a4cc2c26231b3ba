import assert from "node:assert/strict";
import { afterAll, beforeAll, test } from "vitest";
import { describeInBrowser } from "./browser.ts";
import { createFilledDataDir, filledSession } from "./filled-data.ts";
import { openStage, type Stage } from "./stage.ts";

/** Compressed with gzip, as every browser takes it. */
const maxScriptBytes = 120 * 1024;
const turns = 5_000;
/** As many of them are scrolled through. */
const scrolledTurns = 1_000;
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
    const { page, context } = await stage.visit({ path: "/docs" });
    // What is loaded when nobody waits for anything is not needed for the first view.
    await page.addInitScript(() => {
      window.requestIdleCallback = () => 0;
    });
    await page.goto(stage.service.url);
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
    const sizes = await Promise.all(
      scripts.map(async ({ name }) => {
        const { headers, body } = await fetch(name, { headers: { "accept-encoding": "gzip" } });
        await body?.cancel();
        assert.equal(headers.get("content-encoding"), "gzip");
        return Number(headers.get("content-length"));
      }),
    );
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    process.stderr.write(`first view: ${bytes} bytes of script, gzipped\n`);
    assert.ok(bytes > 50_000 && bytes <= maxScriptBytes, `${bytes} bytes of script`);
    // The rest comes by itself where there is time.
    const other = await stage.visit();
    await other.page.waitForRequest(/message-list/);
    await other.context.close();
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
    const result = await page.evaluate(
      async (last) => {
        const frame = document.querySelector(".messages");
        if (frame === null) throw new Error("no messages");
        const frameTimes: number[] = [];
        let most = 0;
        let before = performance.now();
        let isOver = false;
        const measure = (now: number) => {
          frameTimes.push(now - before);
          before = now;
          most = Math.max(most, document.querySelectorAll(".message").length);
          if (!isOver) requestAnimationFrame(measure);
        };
        requestAnimationFrame(measure);
        const isFirst = () =>
          [...document.querySelectorAll(".bubble")].some(({ textContent }) => textContent === last);
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
      },
      `question ${turns - scrolledTurns}`,
    );
    assert.ok(result.most < 80, `${result.most} messages drawn at once`);
    process.stderr.write(
      `scrolling through ${scrolledTurns * 2} of ${turns * 2} messages: ${JSON.stringify(result)}\n`,
    );
    assert.deepEqual(incidents, []);
    await context.close();
  });
});
