import { expect, test } from "vitest";
import { mask, maskUrl, maskValue } from "./mask.ts";
import { settings } from "./settings.ts";

test.each([
  ["postgres://u:p@h:5432/db", `postgres://u:${mask}@h:5432/db`],
  ["postgres://u:p@ss@h/db", `postgres://u:${mask}@h/db`],
  ["postgres://u@h/db", "postgres://u@h/db"],
  [
    "postgres://h/db?user=u&password=p&sslmode=require",
    `postgres://h/db?user=u&password=${mask}&sslmode=require`,
  ],
  ["redis://:p@h", `redis://:${mask}@h`],
  ["redis://u:p@h1,redis://u:q@h2", `redis://u:${mask}@h1,redis://u:${mask}@h2`],
  ["redis://u:p@h1,h2:7000", `redis://u:${mask}@h1,h2:7000`],
  ["https://t0ken@h/x", `https://${mask}@h/x`],
  ["https://h/hook?x=1&access_token=t#f", `https://h/hook?x=1&access_token=${mask}#f`],
  ["https://h/a@b", "https://h/a@b"],
  ["plain text", "plain text"],
])("%s", (url, expected) => {
  expect(maskUrl(url)).toBe(expected);
});

test("secrets are masked altogether, unless they are URLs", () => {
  expect(maskValue(settings.security.secret_key, "http://s3cret")).toBe(mask);
  expect(maskValue(settings.security.secret_key, null)).toBeNull();
  expect(maskValue(settings.database.url, "postgres://u:p@h/db")).toBe(`postgres://u:${mask}@h/db`);
  expect(maskValue(settings.database.url, "s3cret")).toBe(mask);
});

test("members of structures that are keys are masked", () => {
  const server = { name: "s", api_url: "http://u:p@h", api_key: "k" };
  expect(maskValue(settings.agno.servers, [server])).toEqual([
    { name: "s", api_url: `http://u:${mask}@h`, api_key: mask },
  ]);
  expect(server.api_key).toBe("k");
  expect(maskValue(settings.auth.api_keys, [{ name: "a", sha256: "b" }])).toEqual([
    { name: "a", sha256: mask },
  ]);
});

test("other values stay as they are", () => {
  expect(maskValue(settings.service.port, 8001)).toBe(8001);
  expect(maskValue(settings.server.prefixes, ["/api"])).toEqual(["/api"]);
  expect(maskValue(settings.voice.enabled, true)).toBe(true);
});

test("of servers of tools everything is masked that may be a key", () => {
  const mcp = [
    {
      name: "a",
      url: "https://h/mcp?key=s3cret",
      api_key: "s3cret",
      headers: { "X-Key": "s3cret" },
    },
    {
      name: "b",
      command: "npx",
      args: [
        "-y",
        "--api-key",
        "s3cret",
        "--token=s3cret",
        "--header=X: s3cret",
        "postgres://u:s3cret@h/db",
      ],
      env: { GITHUB_TOKEN: "s3cret" },
    },
  ];
  const shown = maskValue(settings.models.agents, [{ id: "a", name: "A", mcp }]);
  expect(JSON.stringify(shown)).not.toContain("s3cret");
  expect(shown).toMatchObject([
    {
      mcp: [
        { url: `https://h/mcp?key=${mask}`, headers: { "X-Key": mask } },
        {
          args: [
            "-y",
            "--api-key",
            mask,
            `--token=${mask}`,
            `--header=${mask}`,
            `postgres://u:${mask}@h/db`,
          ],
          env: { GITHUB_TOKEN: mask },
        },
      ],
    },
  ]);
});
