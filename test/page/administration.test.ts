import assert from "node:assert/strict";
import { SignJWT } from "jose";
import { afterAll, beforeAll, test } from "vitest";
import { faults } from "./axe.ts";
import { describeInBrowser } from "./browser.ts";
import { openStage, type Stage, type Visit } from "./stage.ts";

const secret = "a secret of the tests, long enough for HS256";

function tokenFor(user: string, roles: readonly string[]): Promise<string> {
  return new SignJWT({ user_id: user, roles })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuedAt()
    .setExpirationTime("10m")
    .sign(new TextEncoder().encode(secret));
}

describeInBrowser("the status page for administrators", () => {
  let stage: Stage;
  let admin: string;
  let ann: string;

  beforeAll(async () => {
    stage = await openStage({ AUTH_MODE: "jwt", SECURITY_SECRET_KEY: secret });
    admin = await tokenFor("root", ["admin"]);
    ann = await tokenFor("ann", []);
    const send = async (token: string, method: string, path: string, body: object) => {
      const response = await fetch(stage.service.url + path, {
        method,
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      assert.ok(response.ok, await response.clone().text());
      return (await response.json()) as { message_id: string };
    };
    const reply = await send(ann, "POST", "/chat/message", { message: "Is <b>this</b> right?" });
    await send(ann, "PUT", `/chat/message/${reply.message_id}/feedback`, {
      rating: "down",
      comment: "not <i>quite</i>",
    });
    await send(admin, "POST", "/api-keys", { name: "front", user_id: "service" });
  }, 120_000);
  afterAll(() => stage?.close());

  /** The page as it is for whoever has this token, or nobody. */
  async function look(token: string | null): Promise<Visit> {
    const visit = await stage.visit({ path: "/health" });
    if (token !== null) {
      await visit.page.evaluate(
        (kept) => sessionStorage.setItem("chat-service.token", kept),
        token,
      );
    }
    await visit.page.goto(`${stage.service.url}/status`);
    await visit.page.locator(".dependencies .healthy", { hasText: "Database" }).waitFor();
    return visit;
  }
  const chapter = ({ page }: Visit, name: string) => page.locator(`[data-chapter=${name}]`);

  test("shows sessions, errors, agents, usage, ratings, keys and the audit log, each when it is unfolded", async () => {
    const visit = await look(admin);
    const { page, context, incidents } = visit;
    await page.getByRole("heading", { name: "For administrators" }).waitFor();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await page.locator(".counts", { hasText: "active" }).waitFor();
    assert.ok(!asked.some((path) => ["/usage", "/feedback", "/audit"].includes(path)));
    for (const [name, texts] of [
      ["agents", ["available"]],
      ["usage", ["Total"]],
      ["feedback", ["Is <b>this</b> right?", "not <i>quite</i>", "ann"]],
      ["keys", ["front", "service", "never", "valid"]],
      ["audit", ["GET /feedback", "root", "allowed"]],
    ] as const) {
      const part = chapter(visit, name);
      await part.locator("summary").click();
      await part.locator("tbody tr").first().waitFor();
      const shown = await part.innerText();
      for (const text of texts) assert.ok(shown.includes(text), `${name}: ${shown}`);
    }
    await page.getByRole("button", { name: "中文" }).click();
    await page.getByRole("heading", { name: "管理员" }).waitFor();
    await chapter(visit, "audit").getByText("允许").first().waitFor();
    // What went wrong is said, and can be tried again.
    await page.route("**/audit?*", (route) => route.abort());
    await chapter(visit, "audit").getByRole("button", { name: "重新加载" }).click();
    await chapter(visit, "audit").getByRole("alert").waitFor();
    await page.unroute("**/audit?*");
    await chapter(visit, "audit").getByRole("button", { name: "重新加载" }).click();
    await chapter(visit, "audit").getByRole("alert").waitFor({ state: "detached" });
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("fits every width, light and dark, and has no faults for a screen reader", async () => {
    const visit = await look(admin);
    const { page, context } = visit;
    for (const name of ["agents", "usage", "feedback", "keys", "audit"]) {
      await chapter(visit, name).locator("summary").click();
      await chapter(visit, name).locator("tbody tr").first().waitFor();
    }
    for (const width of [390, 768, 1440]) {
      await page.setViewportSize({ width, height: 800 });
      const beyond = await page
        .locator(".status-page")
        .evaluate((element) => element.scrollWidth - element.clientWidth);
      assert.equal(beyond, 0, `at ${width}`);
      assert.deepEqual(await faults(page), [], `at ${width}`);
    }
    await context.close();
  });

  test("others see what everybody sees, and fetch nothing more", async () => {
    for (const token of [ann, null]) {
      const { page, context, incidents } = await look(token);
      await page.locator(".chart canvas").first().waitFor();
      await page.waitForLoadState("networkidle").catch(() => undefined);
      assert.equal(await page.locator(".administration").count(), 0);
      const loaded = await page.evaluate(() =>
        performance.getEntriesByType("resource").map(({ name }) => name),
      );
      assert.ok(
        !loaded.some((name) => /administration-view|\/(usage|feedback|audit)\b/.test(name)),
      );
      assert.deepEqual(incidents, []);
      await context.close();
    }
  });
});
