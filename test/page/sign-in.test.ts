import assert from "node:assert/strict";
import { SignJWT } from "jose";
import { afterAll, beforeAll, test } from "vitest";
import { describeInBrowser } from "./browser.ts";
import { openStage, say, type Stage } from "./stage.ts";

const secret = "a secret of the tests, long enough for HS256";

function tokenFor(user: string): Promise<string> {
  return new SignJWT({ user_id: user, roles: [] })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuedAt()
    .setExpirationTime("10m")
    .sign(new TextEncoder().encode(secret));
}

describeInBrowser("signing in", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ AUTH_MODE: "jwt", SECURITY_SECRET_KEY: secret });
  }, 120_000);
  afterAll(() => stage?.close());

  test("the page asks for a token, says when it is refused, and keeps it only if told to", async () => {
    const { page, context, incidents } = await stage.visit();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.getByLabel("Access token").fill("not.a.token");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Access token").fill(await tokenFor("ann"));
    await page.getByRole("button", { name: "Sign in" }).click();
    await say(page, "it is me");
    await page.locator(".message.assistant.complete", { hasText: "it is me" }).waitFor();
    const other = await context.newPage();
    await other.goto(stage.service.url);
    await other.getByRole("heading", { name: "Sign in" }).waitFor();
    await other.getByLabel("Access token").fill(await tokenFor("bob"));
    await other.getByLabel("Keep me signed in").check();
    await other.getByRole("button", { name: "Sign in" }).click();
    await other.locator(".agent-card").first().waitFor();
    assert.equal(await other.locator(".session-item").count(), 0);
    // Somebody else's conversation does not exist.
    await other.goto(page.url());
    await other.getByText("This conversation does not exist").waitFor();
    await other.getByRole("button", { name: "Settings", exact: true }).click();
    await other.getByRole("menuitem", { name: "Sign out" }).click();
    await other.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("a link that is opened with a token that has run out leads there after signing in", async () => {
    const { page, context } = await stage.visit({ path: "/docs" });
    const session = await fetch(`${stage.service.url}/chat/message`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${await tokenFor("cleo")}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ message: "remember me" }),
    });
    const { session_id: id } = (await session.json()) as { session_id: string };
    await page.evaluate(() => {
      localStorage.setItem("chat-service.token", JSON.stringify("run.out.long"));
    });
    await page.goto(`${stage.service.url}/?session=${id}`);
    await page.getByLabel("Access token").fill(await tokenFor("cleo"));
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator(".message.user", { hasText: "remember me" }).waitFor();
    await context.close();
  });
});
