import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AxeResults, RunOptions } from "axe-core";
import type { Page } from "playwright-core";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Serious faults that axe finds on the page as it is now, in words. */
export async function faults(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = await faultsOf(page, {});
  await page.emulateMedia({ colorScheme: "dark" });
  // Nothing but the colours is another.
  found.push(...(await faultsOf(page, { runOnly: ["color-contrast"] })));
  await page.emulateMedia({ colorScheme: "light" });
  return found;
}

/** What is in the middle of a transition is not the page as it is. */
export async function settled(page: Page): Promise<void> {
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter((animation) => animation.effect?.getComputedTiming().iterations !== Infinity)
        // One that is replaced by another ends too.
        .map((animation) => animation.finished.catch(() => undefined)),
    ),
  );
}

async function faultsOf(page: Page, options: RunOptions): Promise<string[]> {
  await settled(page);
  const results = await page.evaluate(
    (options) =>
      (Reflect.get(window, "axe") as { run(options: RunOptions): Promise<AxeResults> }).run(
        options,
      ),
    options,
  );
  return results.violations
    .filter(
      ({ id, impact }) => impact === "serious" || impact === "critical" || id === "heading-order",
    )
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}
