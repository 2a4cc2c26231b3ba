import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

/**
 * Which folder may import from which, from the ground up: lib, floors, features, those that put them together. Each
 * may use those in front of it that it names; docs/architecture.md says what they are.
 */
const folders: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  config: [],
  tree: [],
  // Floors: they know no feature.
  problems: names("lib"),
  telemetry: names("config lib"),
  redis: names("lib telemetry"),
  database: names("lib problems telemetry"),
  nodes: names("database lib telemetry"),
  cache: names("lib nodes redis telemetry"),
  identity: names("cache config lib problems telemetry"),
  http: names("cache config identity lib problems telemetry"),
  // Features: each with its port, logic, routes, SQL and tests.
  audit: names("database http identity lib"),
  "api-keys": names("audit database http identity lib problems telemetry"),
  page: names("problems"),
  jobs: names("database lib telemetry"),
  events: names("config database lib telemetry"),
  gateway: names("config lib telemetry"),
  idempotency: names("database lib problems"),
  agents: names("http jobs lib problems telemetry"),
  attachments: names("agents database http identity lib problems"),
  health: names("attachments config database http problems telemetry"),
  search: names("database lib problems telemetry tree"),
  usage: names("agents events config database http identity lib problems telemetry"),
  knowledge: names("agents attachments http identity problems telemetry"),
  memories: names("agents jobs database http identity problems telemetry"),
  replies: names(
    "agents attachments events idempotency jobs search usage database http identity lib nodes problems redis telemetry tree",
  ),
  sessions: names(
    "agents events idempotency replies search database http identity lib problems telemetry tree",
  ),
  writing: names("agents replies sessions usage jobs database lib problems telemetry tree"),
  chat: names(
    "agents attachments idempotency replies search sessions usage cache database http identity lib problems telemetry tree",
  ),
  transfer: names(
    "agents attachments chat idempotency replies sessions database http identity lib problems tree",
  ),
  shares: names(
    "attachments chat idempotency page replies sessions transfer database http identity lib problems tree",
  ),
  devices: names("chat replies sessions database http identity telemetry tree"),
  voice: names(
    "attachments chat idempotency replies sessions config database http identity lib problems telemetry",
  ),
  protocols: names(
    "agents attachments chat idempotency replies search sessions tree voice database http identity lib problems telemetry",
  ),
};

function names(list: string): string[] {
  return list.split(" ");
}

/** These know everything: they put it together, or are commands of their own. */
const assemblers = new Set(["composition", "cli", "(root)"]);

/** Behind a port: known to whoever puts things together and to each other, and to nobody else. */
const adapters = [
  /^src\/agents\/backends\/(\w+)\//,
  /^src\/voice\/providers\/(\w+)/,
  /^src\/replies\/log\/(memory|redis|forwarded)\.ts$/,
  /^src\/database\/(postgres|embedded)\.ts$/,
  /^src\/nodes\/(postgres-wire)\.ts$/,
  /^src\/cache\/(memory|redis|memory-rate-limiter|redis-rate-limiter|told-rate-limiter)\.ts$/,
];

const root = join(import.meta.dirname, "..");
const isProduct = (file: string) => !/\.(test|contract)\.ts$/.test(file);
const files = globSync("src/**/*.ts", { cwd: root }).filter(isProduct);

/** Imports of types and dynamic ones count too: whoever reads a file has to know what it names. */
function importsOf(file: string): string[] {
  const source = readFileSync(join(root, file), "utf8");
  const specifiers = source.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*"(\.[^"]+)"/g);
  return [...specifiers].map(([, specifier = ""]) => normalize(join(dirname(file), specifier)));
}

function folderOf(file: string): string {
  const [, folder = "", more] = file.split("/");
  return more === undefined ? "(root)" : folder;
}

const imports = files.flatMap((file) => importsOf(file).map((target) => ({ file, target })));

test("imports are read", () => {
  expect(imports.length).toBeGreaterThan(1_000);
  expect(new Set(files.map(folderOf))).toEqual(new Set([...Object.keys(folders), ...assemblers]));
});

test("a folder uses those in front of it that it names, and no other", () => {
  const names = Object.keys(folders);
  for (const [name, used] of Object.entries(folders)) {
    for (const other of used)
      expect(names.indexOf(other), `${name} → ${other}`).toBeLessThan(names.indexOf(name));
  }
  const wrong = imports.filter(({ file, target }) => {
    const [from, to] = [folderOf(file), folderOf(target)];
    return from !== to && !assemblers.has(from) && folders[from]?.includes(to) !== true;
  });
  expect(wrong).toEqual([]);
});

/** What is kept of a reply and told of it is read by those who follow it and by those who make it. */
const ofReplies = ["", "log", "reading", "making", "lifecycle"];

test("of the folders of replies each uses those in front of it", () => {
  const roomOf = (file: string) => {
    const [, name, room = "", more] = file.split("/");
    return name === "replies" ? ofReplies.indexOf(more === undefined ? "" : room) : null;
  };
  const wrong = imports.filter(({ file, target }) => {
    const [from, to] = [roomOf(file), roomOf(target)];
    return from !== null && to !== null && (from < 0 || to > from);
  });
  expect(wrong).toEqual([]);
});

test("every arrow that is allowed is used", () => {
  const used = new Set(
    imports.map(({ file, target }) => `${folderOf(file)} → ${folderOf(target)}`),
  );
  const allowed = Object.entries(folders).flatMap(([from, to]) =>
    to.map((each) => `${from} → ${each}`),
  );
  expect(allowed.filter((arrow) => !used.has(arrow))).toEqual([]);
});

test("adapters are known to whoever puts things together alone", () => {
  const wrong = imports.filter(({ file, target }) => {
    if (assemblers.has(folderOf(file))) return false;
    return adapters.some((adapter) => {
      const [, name] = adapter.exec(target) ?? [];
      return name !== undefined && !adapters.some((other) => other.test(file));
    });
  });
  expect(wrong).toEqual([]);
});

test("no file needs itself, not even for a type", () => {
  const needs = new Map(files.map((file) => [file, importsOf(file)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file))
      return void cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
    if (done.has(file)) return;
    for (const next of needs.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(cycles).toEqual([]);
});
