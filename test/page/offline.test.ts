import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { describeInBrowser } from "./browser.ts";
import { openStage, say, until, type Stage } from "./stage.ts";

interface Manifest {
  start_url: string;
  scope: string;
  icons: { src: string; sizes: string; purpose: string }[];
}

const user = "traveller";

/** The page's files are kept. */
const kept = (page: Page) =>
  until(() =>
    page.evaluate(async () => {
      const { active } = await navigator.serviceWorker.ready;
      return active?.state === "activated";
    }),
  );

/** Addresses of all that the browser keeps of this origin. */
const keptAddresses = (page: Page) =>
  page.evaluate(async () => {
    const addresses: string[] = [];
    for (const name of await caches.keys()) {
      for (const { url } of await (await caches.open(name)).keys()) addresses.push(url);
    }
    return addresses;
  });

describeInBrowser("without the network", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.close());

  test.each(["/", "/api/v1/"])("the page at %s can be installed", async (path) => {
    const { page, context, incidents } = await stage.visit({ path });
    await page.locator(".agent-card").first().waitFor();
    const href = await page.locator("link[rel=manifest]").getAttribute("href");
    const address = new URL(href ?? "", page.url());
    const answer = await fetch(address);
    assert.match(answer.headers.get("content-type") ?? "", /^application\/manifest\+json/);
    const manifest = (await answer.json()) as Manifest;
    for (const url of [manifest.start_url, manifest.scope]) {
      assert.equal(new URL(url, address).href, new URL(path, stage.service.url).href);
    }
    assert.deepEqual(
      manifest.icons.map(({ sizes, purpose }) => `${sizes} ${purpose}`),
      ["192x192 any", "512x512 any", "512x512 maskable"],
    );
    const touch = await page.locator("link[rel=apple-touch-icon]").getAttribute("href");
    for (const src of [...manifest.icons.map((icon) => new URL(icon.src, address)), touch ?? ""]) {
      const icon = await fetch(new URL(src, page.url()));
      assert.equal(icon.headers.get("content-type"), "image/png", String(src));
    }
    const session = await context.newCDPSession(page);
    const { installabilityErrors } = (await session.send("Page.getInstallabilityErrors")) as {
      installabilityErrors: { errorId: string }[];
    };
    assert.deepEqual(
      installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"),
      [],
    );
    const bar = page.locator('meta[name=theme-color][media*="light"]');
    assert.equal(await bar.getAttribute("content"), "#fdfdfc");
    await page.getByRole("button", { name: "Settings", exact: true }).click();
    await page.getByRole("menuitemradio", { name: "Appearance: Dark" }).click();
    assert.equal(await bar.getAttribute("content"), "#161718");
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test.each(["/", "/api/v1/"])(
    "the page at %s opens, and says that it is offline; nothing of anybody is kept",
    async (path) => {
      const { page, context, incidents } = await stage.visit({
        user,
        path,
        serviceWorkers: "allow",
      });
      stage.model.enqueue({ tokens: ["a secret answer"] });
      await say(page, "a secret question");
      await page.locator(".message.assistant.complete").waitFor();
      await kept(page);
      const addresses = await keptAddresses(page);
      assert.ok(addresses.length > 5, addresses.join());
      const base = new URL(path, stage.service.url).href;
      for (const address of addresses) {
        assert.match(address.slice(base.length), /^$|^assets\//);
        assert.ok(address.startsWith(base), address);
      }

      await context.setOffline(true);
      const other = await context.newPage();
      await other.goto(base);
      await other.getByText("The service cannot be reached").waitFor();
      await other.getByRole("button", { name: "New conversation" }).waitFor();
      assert.equal(await other.getByText("secret").count(), 0);
      await context.setOffline(false);
      await other.locator(".agent-card").first().waitFor();
      assert.deepEqual(incidents, []);
      await context.close();
    },
    60_000,
  );

  test("another version takes the place of the one that was kept", async () => {
    const { page, context } = await stage.visit({ user, serviceWorkers: "allow" });
    await page.locator(".agent-card").first().waitFor();
    await kept(page);
    await page.evaluate(async () => {
      await caches.open("shell-of-before");
    });
    const names = () => page.evaluate(() => caches.keys());
    const name = (await names()).find((each) => each !== "shell-of-before");
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      await registration.unregister();
    });
    await page.reload();
    await page.locator(".agent-card").first().waitFor();
    await until(async () => (await names()).length === 1);
    assert.deepEqual(await names(), [name]);
    await context.close();
  });

  test("a click on a notification leads to the message: to the tab that shows it, else to one of its own", async () => {
    const { page, context } = await stage.visit({ user, serviceWorkers: "allow" });
    await page.locator(".agent-card").first().waitFor();
    await kept(page);
    const [worker] = context.serviceWorkers();
    assert.ok(worker !== undefined);
    /** What a click does; browsers allow it only to clicks of people. */
    const click = (data: object | undefined) =>
      worker.evaluate(async (told) => {
        const done: string[] = [];
        Object.assign(Reflect.get(self, "Clients").prototype, {
          openWindow: (url: string) => done.push(`opened ${url}`),
        });
        Object.assign(Reflect.get(self, "WindowClient").prototype, {
          focus(this: { url: string }) {
            done.push(`shown ${this.url}`);
          },
        });
        const works: Promise<unknown>[] = [];
        const event = Object.assign(new Event("notificationclick"), {
          notification: { data: told, close: () => done.push("closed") },
          waitUntil: (work: Promise<unknown>) => works.push(work),
        });
        self.dispatchEvent(event);
        await Promise.all(works);
        return done;
      }, data);
    const link = `${stage.service.url}/?session=s&message=m`;
    assert.deepEqual(await click({ url: link }), ["closed", `opened ${link}`]);
    assert.deepEqual(await click({ url: page.url() }), ["closed", `shown ${page.url()}`]);
    assert.deepEqual(await click(undefined), ["closed", `shown ${page.url()}`]);
    await context.close();
  });
});
