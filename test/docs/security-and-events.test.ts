import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { signatureHeaders } from "../../src/events/webhook.ts";

const root = join(import.meta.dirname, "../..");
const page = (path: string) => readFileSync(join(root, path), "utf8");

test("every test that docs/security.md names exists", () => {
  const named = [...page("docs/security.md").matchAll(/`((?:src|test)\/[^`]+\.ts)`/g)];
  expect(named.length).toBeGreaterThan(15);
  expect(named.map(([, path]) => path!).filter((path) => !existsSync(join(root, path)))).toEqual(
    [],
  );
});

test("the check that docs/events.md shows knows our signatures, and no others", async () => {
  const code = /```js\n([\s\S]*?)```/.exec(page("docs/events.md"))?.[1] ?? "";
  const { isGenuine } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
    isGenuine: (headers: object, body: string, secret: string) => boolean;
  };
  const seconds = Math.floor(Date.now() / 1000);
  const sign = (at: number) => signatureHeaders(Buffer.from("secret"), "id-1", at, '{"a":"ü"}');
  expect(isGenuine(sign(seconds), '{"a":"ü"}', "secret")).toBe(true);
  expect(isGenuine(sign(seconds), '{"a":"u"}', "secret")).toBe(false);
  expect(isGenuine(sign(seconds), '{"a":"ü"}', "another")).toBe(false);
  expect(isGenuine({ ...sign(seconds), "webhook-id": "id-2" }, '{"a":"ü"}', "secret")).toBe(false);
  expect(isGenuine(sign(seconds - 600), '{"a":"ü"}', "secret")).toBe(false);
  expect(isGenuine({}, "", "secret")).toBe(false);
});
