import assert from "node:assert/strict";
import type { Page, Route } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { describeInBrowser } from "./browser.ts";
import { openStage, say, type Stage } from "./stage.ts";

const path = /\/share(\/[^?]*)?(\?|$)/;

/** The service gets it; the page never hears so. */
async function loseAnswer(route: Route): Promise<void> {
  const request = route.request();
  await fetch(request.url(), {
    method: request.method(),
    headers: await request.allHeaders(),
    ...(request.postData() !== null && { body: request.postData() }),
  });
  await route.abort("connectionreset");
}
const loseRequest = (route: Route) => route.abort("connectionreset");

describeInBrowser("the network is cut while links are made and ended", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.close());

  const begin = async (user: string) => {
    const visit = await stage.visit({ user });
    await say(visit.page, "first");
    await visit.page.locator(".message.complete", { hasText: "You said: first" }).waitFor();
    await visit.page.locator(".session-item .menu-button").click();
    await visit.page.getByRole("menuitem", { name: "Share…" }).click();
    const session = new URL(visit.page.url()).searchParams.get("session");
    const count = async () => {
      const { body } = await stage.client.get<{ shares: unknown[] }>(
        `/sessions/${session}/share?user_id=${encodeURIComponent(user)}`,
      );
      return body.shares.length;
    };
    return { ...visit, count };
  };
  /** From the next change on, until it is `restored`, nothing else gets out. */
  const cut = async (page: Page, method: string, lose: (route: Route) => Promise<void>) => {
    let isCut = false;
    await page.route(path, async (route) => {
      if (isCut) return route.abort("connectionreset");
      if (route.request().method() !== method) return route.fallback();
      isCut = true;
      return lose(route);
    });
    return { restored: () => page.unroute(path) };
  };
  const cases = [
    { name: "the answer is lost", lose: loseAnswer },
    { name: "nothing gets out", lose: loseRequest },
  ];

  test.each(cases)(
    "$name: asked for again, a link is made once and ended once",
    async ({ name, lose }) => {
      const { page, context, count, incidents } = await begin(`sharer ${name}`);
      const dialog = page.getByRole("dialog");
      const link = dialog.getByRole("textbox", { name: "Link" });
      const fault = dialog.getByRole("alert").filter({ hasText: "cannot be reached" });
      const make = dialog.getByRole("button", { name: "Make a link" });

      const making = await cut(page, "POST", lose);
      await make.click();
      await fault.waitFor();
      await making.restored();
      await make.click();
      await link.waitFor();
      await fault.waitFor({ state: "detached" });
      assert.equal(await count(), 1);
      assert.equal(await link.count(), 1);
      // Another one is another one.
      await make.click();
      await link.nth(1).waitFor();
      assert.equal(await count(), 2);

      const ending = await cut(page, "DELETE", lose);
      const end = dialog.getByRole("button", { name: "End this link" });
      await end.first().click();
      await fault.waitFor();
      assert.equal(await link.count(), 2);
      await ending.restored();
      await end.first().click();
      await link.nth(1).waitFor({ state: "detached" });
      await fault.waitFor({ state: "detached" });
      assert.equal(await count(), 1);
      assert.deepEqual(incidents, []);
      await context.close();
    },
    60_000,
  );

  test("where only the answer was lost, the dialog shows the link and no fault", async () => {
    const { page, context, count } = await begin("lucky");
    const dialog = page.getByRole("dialog");
    const link = dialog.getByRole("textbox", { name: "Link" });
    await page.route(path, (route) =>
      route.request().method() === "GET" ? route.fallback() : loseAnswer(route),
    );
    await dialog.getByRole("button", { name: "Make a link" }).click();
    await link.waitFor();
    assert.equal(await dialog.getByRole("alert").count(), 0);
    assert.equal(await count(), 1);
    await dialog.getByRole("button", { name: "End this link" }).click();
    await link.waitFor({ state: "detached" });
    assert.equal(await dialog.getByRole("alert").count(), 0);
    assert.equal(await count(), 0);
    await context.close();
  }, 60_000);
});
