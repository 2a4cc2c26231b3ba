import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { findCrossFaults } from "./cross-rules.ts";
import { knownSettings, type KnownSetting } from "./known-settings.ts";
import { loadConfig, type ConfigSources } from "./load-config.ts";
import type { Config } from "./settings.ts";
import { yamlLines, yamlValue } from "./yaml-lines.ts";

const cwd = mkdtempSync(join(tmpdir(), "chat-round-trip-"));
afterAll(() => rmSync(cwd, { recursive: true }));

type Values = ReadonlyMap<KnownSetting, unknown>;

const anyText = fc.string({ unit: "binary", minLength: 1, maxLength: 30 });
const name = anyText.filter((text) => text.trim() !== "");
const word = name.filter((text) => text.trim() === text && !/\p{Cc}/u.test(text));
const host = fc.domain();

/** Values that hold under each rule, found by the words in which the rule states itself. */
const ruled: Readonly<Record<string, fc.Arbitrary<string>>> = {
  "without ? and #": fc.webUrl({ validSchemes: ["http", "https"] }),
  "http://": fc.webUrl({ validSchemes: ["http", "https"], withQueryParameters: true }),
  "postgres://": fc
    .tuple(host, fc.webSegment(), fc.string({ minLength: 1 }))
    .map(([at, database, word]) => `postgres://u:${encodeURIComponent(word)}@${at}/${database}`),
  "redis://": fc
    .array(host, { minLength: 1, maxLength: 3 })
    .map((all) => `redis://${all.join(",")}`),
  "a path such as": fc.stringMatching(/^(\/[a-z0-9_.~-]+){1,3}$/),
  "an origin such as": host.map((at) => `https://${at}`),
  "a host name": fc.oneof(
    host,
    fc.ipV4().filter((address) => address !== "0.0.0.0"),
  ),
  "auto or a whole number": fc.oneof(
    fc.constant("auto"),
    fc.integer({ min: 1, max: 256 }).map(String),
  ),
  "an address such as": fc
    .tuple(fc.ipV4(), fc.nat(32))
    .map(([address, bits]) => `${address}/${bits}`),
};

const structures: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  "models.context_tokens": fc.oneof(
    fc.constant(null),
    fc.integer({ min: 256, max: 1_000_000 }),
    fc.dictionary(fc.stringMatching(/^[a-z0-9:./-]{1,20}$/), fc.integer({ min: 256, max: 9_999 }), {
      minKeys: 1,
      maxKeys: 3,
    }),
  ),
  "models.prices": fc.dictionary(
    fc.stringMatching(/^[a-z0-9:./-]{1,20}$/),
    fc.record(
      { input: fc.nat(99), output: fc.nat(99).map((cents) => cents / 100), cached: fc.nat(9) },
      { requiredKeys: ["input", "output"] },
    ),
    { maxKeys: 3 },
  ),
  "limits.budgets": fc.array(
    fc.record({
      scope: fc.constantFrom("user", "key", "all"),
      period: fc.constantFrom("day", "month"),
      tokens: fc.integer({ min: 1, max: 9_999_999 }),
    }),
    { maxLength: 3 },
  ),
  "models.agents": fc.uniqueArray(
    fc.record(
      {
        id: fc.stringMatching(/^[a-z0-9-]{1,20}$/),
        name,
        instructions: name,
        temperature: fc.integer({ min: 0, max: 20 }).map((tenths) => tenths / 10),
        tools: fc.array(name, { maxLength: 3 }),
        mcp: fc.constantFrom(
          [],
          [
            {
              name: "a",
              url: "https://h/mcp",
              headers: { "X-A": "b: c" },
              require_approval: ["x"],
            },
            { name: "b", command: "npx", args: ["-y", "--x=#1"], env: { A: "1" }, tools: ["x"] },
          ],
        ),
      },
      { requiredKeys: ["id", "name"] },
    ),
    { selector: (agent) => agent.id, maxLength: 3 },
  ),
  "agno.servers": fc
    .uniqueArray(host, { maxLength: 3 })
    .map((all) => all.map((at) => ({ name: at, api_url: `http://${at}`, api_key: "k" }))),
  "auth.api_keys": fc
    .uniqueArray(fc.stringMatching(/^[0-9a-f]{64}$/), { maxLength: 3 })
    .map((all) => all.map((sha256) => ({ name: sha256.slice(0, 9), sha256, user_id: "u" }))),
};

const isAscii = (text: string) => /^[\x20-\x7e]*$/.test(text);

function arbitraryValue({ path, setting }: KnownSetting): fc.Arbitrary<unknown> {
  const minimum = setting.minimum ?? 0;
  const words = setting.rule?.words;
  const rule = Object.entries(ruled).find(([start]) => words?.includes(start))?.[1];
  if (words !== undefined && rule === undefined) throw new Error(`no arbitrary for ${words}`);
  switch (setting.kind) {
    case "text":
      return rule ?? anyText;
    case "secret":
      return rule ?? (setting.isHeader === true ? word.filter(isAscii) : word);
    case "integer":
    case "bytes":
      return fc.integer({ min: minimum, max: setting.maximum ?? 2 ** 40 });
    case "number":
      return fc
        .double({ min: minimum, max: setting.maximum ?? 1e9, noNaN: true })
        .map((n) => n || 0);
    case "boolean":
      return fc.boolean();
    case "choice":
      return fc.constantFrom(...(setting.choices ?? []));
    case "list":
      return fc.array(rule ?? anyText, { maxLength: 4 });
    case "json":
      return structures[path] ?? fc.constant([]);
  }
}

/** In the environment it is also where `agno.api_key` comes from, and so has to be there. */
const keyFile = "agno.api_key_file";

/** A handful of settings with values that are right by themselves. */
const arbitraryValues: fc.Arbitrary<Values> = fc
  .uniqueArray(fc.constantFrom(...knownSettings.filter(({ path }) => path !== keyFile)), {
    minLength: 1,
    maxLength: 12,
  })
  .chain((chosen) =>
    fc
      .tuple(...chosen.map(arbitraryValue))
      .map((values) => new Map(chosen.map((known, index) => [known, values[index]]))),
  );

/** Longer than what is written in one line without being asked to; blanks that are none to YAML. */
const awkward = ["\u0001\n".repeat(30), "a\u2003", "\u00a0"];

function withText(text: string): Values {
  const known = knownSettings.find(({ path }) => path === "voice.stt.model");
  return new Map(known && [[known, text]]);
}

function expected(values: Values): Config {
  const config: Record<string, Record<string, unknown>> = {};
  for (const known of knownSettings) {
    const value = values.has(known) ? values.get(known) : known.setting.default;
    (config[known.section] ??= {})[known.key] = value;
  }
  return config as unknown as Config;
}

function asEnvironment(values: Values): Record<string, string> {
  return Object.fromEntries(
    [...values].map(([known, value], index) => {
      const name = known.environment[index % known.environment.length] ?? "";
      return [name, typeof value === "object" ? JSON.stringify(value) : String(value)];
    }),
  );
}

/** As a person's tool would write it: nested maps, block style. */
function asNestedYaml(values: Values): string {
  const page: Record<string, unknown> = {};
  for (const [{ path }, value] of values) {
    const names = path.split(".");
    let level = page;
    for (const name of names.slice(0, -1)) level = (level[name] ??= {}) as Record<string, unknown>;
    level[names.at(-1) ?? ""] = value;
  }
  return stringify(page);
}

/** As `chat-service config` and the example write it. */
function asPrintedYaml(values: Values): string {
  const rows = knownSettings
    .filter((known) => values.has(known))
    .map(({ section, key, setting }, index) => {
      const value = yamlValue(
        setting,
        [...values].find(([known]) => known.setting === setting)?.[1],
      );
      return { section, key, value, behind: `row ${index}` };
    });
  return yamlLines(rows).join("\n");
}

const renderings: Readonly<Record<string, (values: Values) => Partial<ConfigSources>>> = {
  "the environment": (values) => ({ environment: asEnvironment(values) }),
  "YAML in block style": (values) => ({ argv: ["--config", file(asNestedYaml(values))] }),
  "YAML as it is printed": (values) => ({ argv: ["--config", file(asPrintedYaml(values))] }),
};

function file(text: string): string {
  const path = join(cwd, "any.yaml");
  writeFileSync(path, text);
  return path;
}

test.each(Object.entries(renderings))(
  "settings written as %s are read back the same",
  (_, render) => {
    fc.assert(
      fc.property(arbitraryValues, (values) => {
        const config = expected(values);
        fc.pre(findCrossFaults(config, new Set()).length === 0);
        const loaded = loadConfig({ environment: {}, cwd, ...render(values) });
        expect(loaded).toMatchObject({ ok: true });
        expect(loaded.ok && loaded.config).toEqual(config);
      }),
      { numRuns: 300, examples: awkward.map((text) => [withText(text)]) },
    );
  },
);
