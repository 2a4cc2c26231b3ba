import { afterAll, beforeAll, expect, it } from "vitest";
import type { Browser } from "playwright-core";
import { startService, type TestService } from "../support/start-service.ts";
import { describeInBrowser, startBrowser } from "./browser.ts";

describeInBrowser("the page of the API's documents", () => {
  let service: TestService;
  let browser: Browser;
  beforeAll(async () => {
    service = await startService();
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await service.stop();
  });

  it("shows this service's operations, loads nothing from elsewhere, and has nothing to complain of", async () => {
    const page = await browser.newPage();
    const complaints: string[] = [];
    const asked: string[] = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(`${service.url}/docs`);
    await page.locator("#operations-Messages-postChatMessage").click();
    await page.locator(".opblock-body .responses-table").first().waitFor();
    expect(await page.title()).toBe("Chat Service API");
    expect(await page.locator(".topbar").count()).toBe(0);
    expect(await page.getByText(/fastify/i).count()).toBe(0);
    expect(complaints).toEqual([]);
    expect(asked.filter((url) => !url.startsWith(service.url) && !url.startsWith("data:"))).toEqual(
      [],
    );
  });
});
