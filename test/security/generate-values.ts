import type { Random } from "./random.ts";

export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
}

const words = [
  "a",
  "hello",
  "你好",
  "ß",
  "é",
  "👩‍👩‍👧",
  "ي",
  " ",
  "\n",
  "'",
  '"',
  "\\",
  "<b>",
  "%",
  "${x}",
  "0",
];

export function text(random: Random, length: number): string {
  let made = "";
  while (made.length < length) made += random.pick(words);
  // Never half of a character.
  return made.slice(0, length).toWellFormed().replaceAll("\ufffd", "x");
}

/** A value that fits, often one at its bounds. `ids` are ids that exist, for members that name something. */
export function fitting(
  schema: JsonSchema,
  random: Random,
  ids: (name: string) => string | undefined,
  name = "",
): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return random.pick(schema.enum);
  if (schema.anyOf !== undefined) return fitting(random.pick(schema.anyOf), random, ids, name);
  switch (schema.type) {
    case "string":
      return fittingText(schema, random, ids(name));
    case "integer":
    case "number": {
      const [low, high] = [schema.minimum ?? -5, schema.maximum ?? 5_000_000_000];
      const made = random.pick([
        low,
        high,
        low + 1,
        random.between(low, Math.min(high, low + 100)),
      ]);
      return Math.min(high, schema.type === "integer" ? Math.ceil(made) : made);
    }
    case "boolean":
      return random.chance(0.5);
    case "null":
      return null;
    case "array": {
      const count = random.between(schema.minItems ?? 0, Math.min(schema.maxItems ?? 3, 3));
      return Array.from({ length: count }, () => fitting(schema.items ?? {}, random, ids, name));
    }
    case "object": {
      const made: Record<string, unknown> = {};
      for (const [member, inner] of Object.entries(schema.properties ?? {})) {
        const isRequired = schema.required?.includes(member) ?? false;
        if (isRequired || random.chance(0.35)) made[member] = fitting(inner, random, ids, member);
      }
      if (name === "schema") return { ...random.pick(answerSchemas), ...made };
      if (schema.additionalProperties !== false && random.chance(0.2)) {
        made[text(random, random.between(1, 12))] = anything(random, 2);
      }
      return made;
    }
    default:
      return anything(random, 3);
  }
}

/** What answers are asked to be like; also such as are much to check, or refer to themselves. */
const answerSchemas: readonly object[] = [
  { type: "object", properties: { a: { type: "integer" } }, required: ["a"] },
  { type: "object", properties: {}, additionalProperties: false },
  { $ref: "#" },
  { $ref: "#/$defs/a", $defs: { a: { anyOf: [{ $ref: "#/$defs/a" }, { $ref: "#/$defs/a" }] } } },
  { $ref: "https://example.com/none" },
  { $id: "https://example.com/a", $dynamicRef: "#x" },
  { type: "string", pattern: "^(a+)+$" },
  { type: "string", pattern: "(" },
  { type: "nonsense" },
  { type: ["object", "null"], properties: { ["__proto__"]: true, constructor: false } },
  { allOf: Array.from({ length: 300 }, (_, index) => ({ required: [`m${index}`] })) },
  nested(30) as object,
];

const moments = [
  "2026-11-22T10:00:00.000Z",
  "2026-11-22T10:00:00+08:00",
  "1970-01-01T00:00:00Z",
  "2024-02-29T23:59:59.999999999Z",
  "0001-01-01T00:00:00Z",
  "9999-12-31T23:59:59Z",
];

function fittingText(schema: JsonSchema, random: Random, id: string | undefined): string {
  if (id !== undefined && random.chance(0.85)) return id;
  if (schema.format === "date-time") return random.pick(moments);
  if (schema.format === "byte") return "aGVsbG8=";
  if (schema.pattern?.includes("(auto)") === true) return random.pick(["en", "zh-CN", "auto", ""]);
  if (schema.pattern?.includes("\\x21") === true) return `key ${random.below(1e9)}`;
  if (schema.pattern?.includes(":run") === true) {
    return random.pick(["send_message", "access_chat_session", "agents:a:run", "agents:*:run"]);
  }
  if (schema.pattern?.includes("\\p{Cf}") === true) return random.pick(["bob", "你好", "a b"]);
  if (schema.pattern?.includes("/") === true) return random.pick(["image/png", "text/plain"]);
  if (schema.pattern?.startsWith("^[") === true) return random.pick(["low", "high", "answer"]);
  const low = Math.max(schema.minLength ?? 0, schema.pattern === undefined ? 0 : 1);
  const high = Math.min(schema.maxLength ?? 60, 2_000);
  const length = random.pick([low, high, random.between(low, Math.min(high, 40))]);
  return schema.pattern === undefined ? text(random, length) : `x${text(random, length - 1)}`;
}

export function anything(random: Random, depth: number): unknown {
  const kind = random.below(depth > 0 ? 8 : 6);
  if (kind === 6) return Array.from({ length: random.below(4) }, () => anything(random, depth - 1));
  if (kind === 7) {
    return Object.fromEntries(
      Array.from({ length: random.below(4) }, () => [
        text(random, random.between(0, 8)),
        anything(random, depth - 1),
      ]),
    );
  }
  return [null, true, random.between(-1e6, 1e6), random.below(1e6) / 7, text(random, 9), ""][kind];
}

function nested(depth: number): unknown {
  let made: unknown = "deep";
  for (let level = 0; level < depth; level += 1) made = level % 2 === 0 ? [made] : { a: made };
  return made;
}

/** What callers send who mean harm, or whose program is broken. */
export function hostile(random: Random): unknown {
  return random.pick([
    () => null,
    () => "",
    () => " ",
    () => "\u0000",
    () => `a\u0000b`,
    () => "\ud800",
    () => "x\udfff\ud800y",
    () => "\u202e\u200b\ufeff",
    () => "x".repeat(random.pick([129, 256, 501, 10_001, 70_000])),
    () => "😀".repeat(random.pick([64, 65, 5_000])),
    () => -1,
    () => 0,
    () => -0.5,
    () => 1e308,
    () => Number.MAX_SAFE_INTEGER + 2,
    () => 2_147_483_648,
    () => 9_223_372_036_854_775_807n.toString(),
    () => true,
    () => [],
    () => [[]],
    () => ({}),
    () => ({ toString: 1, constructor: { prototype: {} } }),
    () => nested(random.pick([5, 31, 32, 33, 500, 4_000])),
    () => Array.from({ length: random.pick([101, 2_000]) }, () => "x"),
    () => "'; DROP TABLE sessions; --",
    () => "{{7*7}}${7*7}<script>",
    () => "../../etc/passwd",
    () => "2026-13-45T99:99:99Z",
    () => "0000-01-01T00:00:00Z",
    () => "9999-12-31T23:59:60+23:59",
    () => "NaN",
    () => "Infinity",
    () => "00000000-0000-0000-0000-000000000000",
    () => anything(random, 3),
  ])();
}

/** The value with one part of it replaced, removed or added to. */
export function mutated(value: unknown, random: Random): unknown {
  if (typeof value !== "object" || value === null || random.chance(0.15)) return hostile(random);
  // Too deep for a structured clone, perhaps.
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  const members = Object.keys(copy);
  const member = members.length === 0 ? "" : random.pick(members);
  switch (random.below(5)) {
    case 0:
      copy[Array.isArray(copy) ? String(members.length) : text(random, 5)] = hostile(random);
      break;
    case 1:
      delete copy[member];
      break;
    default:
      copy[member] = random.chance(0.4) ? mutated(copy[member], random) : hostile(random);
  }
  return Array.isArray(copy) ? copy.filter((each) => each !== undefined) : copy;
}
