import { rm } from "node:fs/promises";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { startBrowser } from "./browser.ts";
import { buildPage } from "./build-page.ts";

/** The real service with a scripted model, and a browser. */
export interface Stage {
  readonly browser: Browser;
  readonly model: OpenAiServer;
  readonly service: TestService;
  readonly client: Client;
  /** A browser of its own, with one tab. */
  visit(options?: VisitOptions): Promise<Visit>;
  close(): Promise<void>;
}

interface VisitOptions extends BrowserContextOptions {
  /** Below the service's address. */
  readonly path?: string;
  /** Instead of the service's. */
  readonly url?: string;
  /** The user's name in this browser; default: one that the page makes. */
  readonly user?: string;
}

export interface Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What must not happen: violations of the policy, dialogs, errors of the page, requests to other hosts. */
  readonly incidents: readonly string[];
}

/** `dataDir` is removed at the end. */
export async function openStage(
  env: Readonly<Record<string, string>> = {},
  dataDir?: string,
  models?: readonly string[],
): Promise<Stage> {
  const [model, browser] = await Promise.all([
    startOpenAiServer(models && { models }),
    startBrowser(),
    buildPage(),
  ]);
  const service = await startService({
    env: { MODELS_API_URL: model.url, ...env },
    ...(dataDir !== undefined && { dataDir }),
  });
  return {
    browser,
    model,
    service,
    client: createClient(service.url),
    visit: (options = {}) => visit(browser, options.url ?? service.url, options),
    async close() {
      await browser.close();
      await service.stop();
      if (dataDir !== undefined) await rm(dataDir, { recursive: true, force: true });
      await model.close();
    },
  };
}

export async function visit(
  browser: Browser,
  url: string,
  { path = "/", user, url: _url, ...options }: VisitOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    locale: "en-US",
    // What they answer is no request of the page any more; those that test them allow them.
    serviceWorkers: "block",
    ...options,
  });
  // Shorter than a test's own, so that a failure names what it waited for.
  context.setDefaultTimeout(15_000);
  const incidents: string[] = [];
  if (user !== undefined) {
    await context.addInitScript((name) => {
      if (location.protocol.startsWith("http")) {
        localStorage.setItem("chat-service.user", JSON.stringify(name));
      }
    }, user);
  }
  await watch(context, url, incidents);
  const page = await context.newPage();
  await page.goto(url + path);
  return { context, page, incidents };
}

async function watch(context: BrowserContext, url: string, incidents: string[]): Promise<void> {
  await context.exposeFunction("noteIncident", (text: string) => void incidents.push(text));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      const note = Reflect.get(window, "noteIncident") as (text: string) => void;
      note(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  context.on("dialog", (dialog) => {
    incidents.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  context.on("weberror", (error) => incidents.push(`error: ${error.error().message}`));
  const { host } = new URL(url);
  context.on("request", (request) => {
    const target = new URL(request.url());
    if (target.protocol.startsWith("http") && target.host !== host) {
      incidents.push(`request: ${request.url()}`);
    }
  });
}

/** A picture of 8 by 8 pixels. */
export const redSquare = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mM4oKCAFTEMLQkAKj9AAQUJSn0AAAAASUVORK5CYII=",
  "base64",
);

/** Where messages are written. */
export function composer(page: Page) {
  return page.locator(".composer textarea");
}

export async function say(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press("Enter");
}

/** Something a test opens when it is time. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: () => resolve() };
}

/** Asks until the answer is yes; the test's own time-out ends it otherwise. */
export async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 50));
}
