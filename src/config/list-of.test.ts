import { expect, test } from "vitest";
import { isText, isTextList, listOf, optional, required } from "./list-of.ts";
import type { Setting } from "./setting.ts";
import { settings } from "./settings.ts";

const check = listOf(
  "things",
  { id: required("text", isText), tags: optional("a list of texts", isTextList) },
  ["id"],
);

test.each<[unknown, string | null]>([
  [[], null],
  [[{ id: "a" }, { id: "b", tags: ["x"] }], null],
  [{ id: "a" }, "must be a list of things"],
  ["a", "must be a list of things"],
  [["a"], "item 1 must be an object"],
  [[{ id: "a" }, null], "item 2 must be an object"],
  [[{ id: "a" }, {}], "item 2 needs id"],
  [[{ id: " " }], "item 1 has a bad id: it must be text"],
  [[{ id: 1 }], "item 1 has a bad id: it must be text"],
  [[{ id: "a", tags: "x" }], "item 1 has a bad tags: it must be a list of texts"],
  [[{ id: "a", tags: [""] }], "item 1 has a bad tags: it must be a list of texts"],
  [
    [{ id: "a", tag: [] }],
    "item 1 has the unknown member tag; did you mean tags? (known: id, tags)",
  ],
  [[{ id: "a" }, { id: "b" }, { id: "a" }], "items 1 and 3 have the same id"],
])("%j: %s", (value, expected) => {
  expect(check(value)).toBe(expected);
});

const sha256 = "0123456789abcdef".repeat(4);
const agent = { id: "a", name: "A" };
const key = { name: "k", sha256, user_id: "u" };
const at = { url: "https://h/mcp" };
const auth = { headers: { authorization: "Bearer x" } };
const mcp = (server: object) => [{ ...agent, mcp: [{ name: "s", ...server }] }];

test.each<[string, Setting, unknown, RegExp | null]>([
  ["an agent", settings.models.agents, [{ ...agent, temperature: 2, tools: ["t"] }], null],
  ["two agents of one id", settings.models.agents, [agent, agent], /same id/],
  ["an id with a slash", settings.models.agents, [{ ...agent, id: "a/b" }], /bad id/],
  ["a temperature above 2", settings.models.agents, [{ ...agent, temperature: 2.1 }], /0 to 2/],
  ["a temperature as text", settings.models.agents, [{ ...agent, temperature: "1" }], /0 to 2/],
  ["a program's tools", settings.models.agents, mcp({ command: "npx", args: ["-y", "x"] }), null],
  ["a server's tools", settings.models.agents, mcp({ ...at, require_approval: ["a"] }), null],
  ["a server of tools without any", settings.models.agents, mcp({}), /bad mcp: item 1 .*either/],
  ["both", settings.models.agents, mcp({ ...at, command: "x" }), /either command .* or url/],
  ["a slip of the pen", settings.models.agents, mcp({ ...at, header: {} }), /mean headers\?/],
  ["another word", settings.models.agents, mcp({ ...at, require_approval: "always" }), /all, none/],
  ["arguments of an address", settings.models.agents, mcp({ ...at, args: [] }), /args.*with url/],
  [
    "a key of a program",
    settings.models.agents,
    mcp({ command: "x", api_key: "k" }),
    /api_key.*co/,
  ],
  ["a key in two lines", settings.models.agents, mcp({ ...at, api_key: "k\nl" }), /one line/],
  ["a header in two lines", settings.models.agents, mcp({ ...at, headers: { A: "b\n" } }), /line/],
  ["a header twice", settings.models.agents, mcp({ ...at, api_key: "k", ...auth }), /both api_key/],
  ["a file instead of a URL", settings.models.agents, mcp({ url: "file:///x" }), /http:\/\//],
  [
    "numbers in env",
    settings.models.agents,
    mcp({ command: "x", env: { A: 1 } }),
    /names and texts/,
  ],
  ["a name with a dot", settings.models.agents, mcp({ ...at, name: "a.b" }), /letters, digits/],
  ["no time", settings.models.agents, mcp({ ...at, timeout_seconds: 0 }), /from 0.1 to 3600/],
  [
    "an approval of what is not offered",
    settings.models.agents,
    mcp({ ...at, tools: ["read"], require_approval: ["read", "wirte"] }),
    /not among its tools/,
  ],
  ["a key", settings.auth.api_keys, [{ ...key, roles: ["r"] }], null],
  ["a key in clear", settings.auth.api_keys, [{ ...key, sha256: "my key" }], /bad sha256.*64/],
  ["a hash in capitals", settings.auth.api_keys, [{ ...key, sha256: sha256.toUpperCase() }], /64/],
  ["two keys of one hash", settings.auth.api_keys, [key, { ...key, name: "l" }], /same sha256/],
  ["a long user", settings.auth.api_keys, [{ ...key, user_id: "u".repeat(129) }], /128/],
  ["a server", settings.agno.servers, [{ name: "s", api_url: "http://h", api_key: "k" }], null],
  [
    "a key from a file",
    settings.agno.servers,
    [{ name: "s", api_url: "http://h", api_key: " k\r\n" }],
    null,
  ],
  [
    "a key that no header holds",
    settings.agno.servers,
    [{ name: "s", api_url: "http://h", api_key: "k\nk" }],
    /bad api_key: .*one line/,
  ],
  [
    "a key in another script",
    settings.agno.servers,
    [{ name: "s", api_url: "http://h", api_key: "密钥" }],
    /bad api_key: .*one line/,
  ],
  ["a server elsewhere", settings.agno.servers, [{ name: "s", api_url: "h" }], /bad api_url.*http/],
  [
    "two servers of one name",
    settings.agno.servers,
    [
      { name: "s", api_url: "http://h" },
      { name: "s", api_url: "http://i" },
    ],
    /same name/,
  ],
])("the table about %s", (_, setting, value, expected) => {
  const fault = setting.check?.(value);
  if (expected === null) expect(fault).toBeNull();
  else expect(fault).toMatch(expected);
});

test("examples in the table pass their own checks", () => {
  for (const setting of [settings.models.agents, settings.auth.api_keys, settings.agno.servers]) {
    const { example, check } = setting as Setting;
    expect(check?.(example)).toBeNull();
  }
});
