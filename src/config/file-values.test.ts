import { describe, expect, test } from "vitest";
import { parseFileValues } from "./file-values.ts";

function parse(text: string) {
  return parseFileValues(text, "c.yaml");
}

function textOf(text: string): unknown {
  const { values, faults } = parse(text);
  expect(faults).toEqual([]);
  return values.map(({ path, raw }) => [path, raw]);
}

describe("values", () => {
  test.each(["007", "1e3", "12345", "true", "0x1F", "1.0", "no"])(
    "an unquoted text like %s is taken to the letter",
    (written) => {
      const raw = { type: "text", text: written };
      expect(textOf(`security:\n  secret_key: ${written}`)).toEqual([["security.secret_key", raw]]);
    },
  );

  test("dots are levels, written out or not", () => {
    const raw = { type: "text", text: "zh" };
    expect(textOf("voice:\n  stt:\n    language: zh")).toEqual([["voice.stt.language", raw]]);
    expect(textOf("voice:\n  stt.language: zh")).toEqual([["voice.stt.language", raw]]);
  });

  test("lists, structures, aliases, CRLF and a byte order mark", () => {
    const text =
      "\uFEFFsecurity:\r\n  allowed_hosts: &hosts\r\n    - a\r\n    - 1.20\r\n  cors_origins: *hosts\r\nmodels:\r\n  agents: [{id: x, temperature: 0.5}]\r\n";
    const items = { type: "items", items: ["a", "1.20"] };
    expect(textOf(text)).toEqual([
      ["security.allowed_hosts", items],
      ["security.cors_origins", items],
      ["models.agents", { type: "structure", value: [{ id: "x", temperature: 0.5 }] }],
    ]);
  });

  test("empty text is unset where the default is unset, and a value where it is a text", () => {
    expect(textOf('redis: {url: "", key_prefix: ""}')).toEqual([
      ["redis.key_prefix", { type: "text", text: "" }],
    ]);
  });
});

describe("faults", () => {
  test.each([
    ["sevice: {port: 1}", "sevice (c.yaml line 1): is not a known section; did you mean service?"],
    [
      "\nmetrics_path: /m",
      "metrics_path (c.yaml line 2): is not a known section; did you mean monitoring.metrics_path?",
    ],
    [
      "service: {prot: 1}",
      "service.prot (c.yaml line 1): is not a known key; did you mean service.port?",
    ],
    [
      "agno: {api_base: x}",
      "agno.api_base (c.yaml line 1): is not a known key; did you mean agno.api_url?",
    ],
    [
      "voice: {stt_model: x}",
      "voice.stt_model (c.yaml line 1): is not a known key; did you mean voice.stt.model?",
    ],
    [
      "voice:\n  tts:\n    voce: x",
      "voice.tts.voce (c.yaml line 3): is not a known key; did you mean voice.tts.voice?",
    ],
    [
      "limits: {history_messages: 3}",
      "limits.history_messages (c.yaml line 1): is not a known key; did you mean sessions.history_messages?",
    ],
    ["events: {zzzzzz: 3}", /^events\.zzzzzz .*The keys of events are url, secret, receivers$/],
    [
      "database: {port: 3}",
      /did you mean database\.url\? The keys of database are url, listen_url, pool_size,/,
    ],
    ["__proto__: {a: 1}", /^__proto__ .* is not a known section/],
    ["service: {constructor: 1}", /^service\.constructor .* is not a known key/],
    ["service: 3", "service (c.yaml line 1): must contain keys, one a line and indented"],
    [
      "voice: {stt: openai}",
      "voice.stt (c.yaml line 1): must contain keys, one a line and indented",
    ],
    ["- a", /^c\.yaml line 1: the file must consist of sections/],
    ["just words", /^c\.yaml line 1: the file must consist of sections/],
    ["security: {secret_key: *s3cret}", /^security\.secret_key \(c\.yaml line 1\): holds an alias/],
    [
      "security: {allowed_hosts: [*s3cret]}",
      /^security\.allowed_hosts \(c\.yaml line 1\): holds an alias/,
    ],
    [
      "models: {api_key: '${OPENAI_KEY}'}",
      /^models\.api_key \(c\.yaml line 1\): .*MODELS_API_KEY_FILE/,
    ],
    ["database: {url: 'postgresql://chat:${PW:-x}@db/chat'}", /^database\.url .*DATABASE_URL_FILE/],
    ["service: {port: '${PORT}'}", /^service\.port .*set SERVICE_PORT or/],
    ["security: {allowed_hosts: [a, '${HOST}']}", /^security\.allowed_hosts .*variable/],
    ["models: {agents: [{id: a, model: '${MODEL}'}]}", /^models\.agents .*variable/],
    ["models: {agents: [*s3cret]}", /^models\.agents \(c\.yaml line 1\): holds an alias/],
    ["a: 1\n---\nb: 2", "c.yaml line 2: a second document begins here; only one is allowed"],
    ["service: {port: 1}\nservice: {port: 2}", /^c\.yaml line 2: Map keys must be unique/],
  ])("%j", (text, fault) => {
    const { faults } = parse(text);
    expect(faults).toEqual([typeof fault === "string" ? fault : expect.stringMatching(fault)]);
  });

  test.each([
    "a: }s3cret",
    "a: |s3cret\n  x",
    "a: !s3cret x",
    'a: "\\us3cret"',
    "%s3cret\n---\na: 1",
    "a: @s3cret",
    "a: b: s3cret",
    "a: 's3cret",
    "a: 's' s3cret",
  ])("bad YAML is reported without what it contains: %j", (text) => {
    const { faults, values } = parse(text);
    expect(values).toEqual([]);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.join("\n")).toMatch(/line \d/);
    expect(faults.join("\n")).not.toContain("s3cret");
  });

  test("a text for a model may speak of variables", () => {
    const text = "models: {agents: [{id: a, instructions: 'Write ${NAME} for the name.'}]}";
    expect(parse(text).faults).toEqual([]);
  });

  test("aliases that multiply the file are refused", () => {
    const layers = Array.from({ length: 12 }, (_, n) => `&a${n + 1} [${`*a${n},`.repeat(9)}]`);
    const text = `models:\n  agents: [&a0 [x], ${layers.join(", ")}]`;
    expect(parse(text).faults).toEqual([expect.stringContaining("holds an alias")]);
  });
});
