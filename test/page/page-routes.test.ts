import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fastify } from "fastify";
import { afterAll, beforeAll, describe, test } from "vitest";
import { pageRoutes } from "../../src/page/page-routes.ts";
import { prefersPage } from "../../src/page/prefers-page.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { buildPage } from "./build-page.ts";

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

describe("who gets the page", () => {
  test.each([
    [browser, true],
    ["text/html", true],
    ["application/json", false],
    ["*/*", false],
    [undefined, false],
    ["", false],
    ["application/json, text/html;q=0.9", false],
    ["text/html;q=0", false],
    ["text/html;q=nonsense", false],
  ])("%s: %s", (accept, expected) => {
    assert.equal(prefersPage(accept), expected);
  });
});

describe("the page as it is served", () => {
  let service: TestService;

  beforeAll(async () => {
    await buildPage();
    service = await startService({
      env: { AUTH_MODE: "jwt", SECURITY_SECRET_KEY: "s".repeat(32) },
    });
  }, 120_000);
  afterAll(() => service?.stop());

  const get = (path: string, headers: Record<string, string> = { accept: browser }) =>
    fetch(service.url + path, { headers, redirect: "manual" });

  test("browsers get it at the root without signing in, API clients get JSON", async () => {
    const page = await get("/");
    assert.equal(page.status, 200);
    assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
    assert.match(page.headers.get("vary") ?? "", /Accept/);
    assert.equal(page.headers.get("cache-control"), "no-cache");
    const json = await get("/", { accept: "*/*" });
    assert.match(json.headers.get("content-type") ?? "", /^application\/json/);
    assert.equal(((await json.json()) as { service: string }).service, "chat-service");
  });

  test("its policy allows no inline code, and there is none", async () => {
    for (const path of ["/", "/status"]) {
      const page = await get(path);
      const policy = page.headers.get("content-security-policy") ?? "";
      assert.match(policy, /script-src 'self'(;|$)/);
      assert.match(policy, /style-src 'self'(;|$)/);
      assert.match(policy, /default-src 'none'/);
      assert.doesNotMatch(policy, /unsafe|\*/);
      const html = await page.text();
      assert.doesNotMatch(html, /<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=/i);
    }
  });

  test("its files are compressed, and kept for good by browsers", async () => {
    const html = await (await get("/")).text();
    const files = [...html.matchAll(/(?:src|href)="\.(\/assets\/[^"]+(?<!\.png))"/g)].map(
      (match) => match[1],
    );
    assert.ok(files.length >= 3);
    for (const file of files) {
      const answer = await get(file ?? "");
      assert.equal(answer.status, 200, file);
      assert.equal(answer.headers.get("cache-control"), "public, max-age=31536000, immutable");
      assert.match(answer.headers.get("content-encoding") ?? "", /^(br|gzip)$/);
    }
    assert.equal((await get("/assets/none.js")).status, 404);
    assert.equal((await get("/assets/..%2findex.html")).status, 404);
  });

  test("its service worker is asked for each time, may stand for the page above it, and asks for nothing else", async () => {
    const worker = await get("/assets/service-worker.js");
    assert.equal(worker.status, 200);
    assert.equal(worker.headers.get("cache-control"), "no-cache");
    assert.equal(worker.headers.get("service-worker-allowed"), "../");
    assert.equal(
      worker.headers.get("content-security-policy"),
      "default-src 'none'; connect-src 'self'",
    );
    const policy = (await get("/")).headers.get("content-security-policy") ?? "";
    assert.match(policy, /trusted-types service-worker(;|$)/);
  });

  test("below a prefix too, at addresses from which its files are found", async () => {
    assert.equal((await get("/api/v1/")).status, 200);
    assert.equal((await get("/api/v1/status")).status, 200);
    const moved = await get("/api/v1?session=1");
    assert.equal(moved.status, 308);
    const target = new URL(moved.headers.get("location") ?? "", `${service.url}/api/v1`);
    assert.equal(target.pathname + target.search, "/api/v1/?session=1");
    const slash = await get("/status/");
    assert.equal(
      new URL(slash.headers.get("location") ?? "", `${service.url}/status/`).pathname,
      "/status",
    );
  });
});

test("a page that is not built is told plainly, and appears once it is built", async () => {
  const directory = await mkdtemp(join(tmpdir(), "page-"));
  const app = fastify();
  app.addHook("onRequest", async (request) => {
    request.language = "en";
  });
  await app.register(pageRoutes({ directory }));
  const missing = await app.inject({ url: "/", headers: { accept: browser } });
  assert.equal(missing.statusCode, 503);
  assert.match(missing.body, /npm run build:page/);
  await mkdir(join(directory, "assets"));
  await writeFile(join(directory, "index.html"), "<!doctype html>built");
  const built = await app.inject({ url: "/", headers: { accept: browser } });
  assert.equal(built.statusCode, 200);
  assert.match(built.body, /built/);
  await app.close();
  await rm(directory, { recursive: true });
});
