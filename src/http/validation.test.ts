import { Type, type TSchema } from "typebox";
import { expect, it } from "vitest";
import { messageBody } from "../chat/message-body.ts";
import type { Problem } from "../problems/problem.ts";
import { compileValidator, createBodyCheck } from "./validation.ts";

const checkMessage = createBodyCheck(messageBody(10));

const known = Object.keys(messageBody(10).properties).join(", ");

function faultsOf(body: unknown): string[] {
  try {
    checkMessage(body);
  } catch (error) {
    const details = (error as Problem).details ?? [];
    // Whatever is wrong is told in both languages.
    for (const { zh } of details) expect(zh).toMatch(/\p{Script=Han}/u);
    return details.map(({ path, message }) => `${path} ${message}`);
  }
  return [];
}

it.each<[unknown, string[]]>([
  [null, ["/ must be object"]],
  [[], ["/ must be object"]],
  [undefined, ["/ must be object"]],
  [{}, ["/message is required"]],
  [{ message: 5 }, ["/message must be string"]],
  [{ message: "12345678901" }, ["/message must not have more than 10 characters"]],
  [{ message: "a", session_id: 5 }, ["/session_id must be one of string, null"]],
  [{ message: "a", message_type: "song" }, ["/message_type must be one of text, voice"]],
  [
    { message: "a", on_busy: null },
    ["/on_busy must be one of enqueue, reject, interrupt, rollback, merge, steer"],
  ],
  [{ message: "a", metadata: [] }, ["/metadata must be one of object, null"]],
  [{ message: "a", voice_config: { speed: 9 } }, ["/voice_config/speed must be <= 4"]],
  [
    { message: "a", session_config: { on_busy: 1, temperature: -1 } },
    [
      "/session_config/temperature must be >= 0",
      "/session_config/on_busy must be one of enqueue, reject, interrupt, rollback, merge, steer",
    ],
  ],
  [
    { message: "a", attachments: [{ name: "a", media_type: "a/b", data: "", size: 1 }, {}] },
    [
      "/attachments/0/size is not known; known are name, media_type, data",
      "/attachments/1/name is required",
      "/attachments/1/media_type is required",
      "/attachments/1/data is required",
    ],
  ],
  [{ message: "a", titel: 1 }, [`/titel is not known; known are ${known}`]],
  [
    { message: "a", voice_config: { tts: true } },
    ["/voice_config/tts is not known; known are enable_tts, stream_audio, voice, format, speed"],
  ],
  [
    { message: "a", response_format: { type: "text", titel: 1 } },
    ["/response_format/titel is not known; known are type"],
  ],
  [
    {
      message: "a",
      response_format: { type: "json_schema", json_schema: { name: "a", schema: {}, strct: 1 } },
    },
    [
      "/response_format/json_schema/strct is not known; known are name, description, schema, strict",
    ],
  ],
  [
    { message: "a", ["x".repeat(1_000)]: 1 },
    [`/${"x".repeat(199)}… is not known; known are ${known}`],
  ],
  [
    { message: "a", response_format: { type: "song" } },
    [
      "/response_format/type must be one of text, json_object",
      "/response_format/json_schema is required",
      "/response_format/type must be json_schema",
    ],
  ],
  // What callers keep there is theirs.
  [{ message: "a", session_config: { a: 1 }, metadata: { a: 1 }, context: { a: 1 } }, []],
  [{ message: "\u0000" }, ["/message contains the character NUL, which cannot be stored"]],
])("says of %j what is wrong with it", (body, faults) => {
  expect(faultsOf(body)).toEqual(faults);
});

it("names twenty faults at most, however many there are", () => {
  const file = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`m${index}`, 1]));
  const faults = faultsOf({ message: "a", attachments: [file] });
  expect(faults).toHaveLength(20);
  expect(faults.every((fault) => / is (?:required$|not known; known are name, )/.test(fault))).toBe(
    true,
  );
});

it("counts characters, not their halves and not what a reader takes for one", () => {
  expect(faultsOf({ message: "😀".repeat(10) })).toEqual([]);
  expect(faultsOf({ message: "😀".repeat(11) })).toHaveLength(1);
  expect(faultsOf({ message: `a${"\u0301".repeat(10)}` })).toHaveLength(1);
});

it("gives members their defaults, to each body its own", () => {
  const check = createBodyCheck(
    Type.Object({
      list: Type.Array(Type.String(), { default: [] }),
      inner: Type.Object({ on: Type.Boolean({ default: true }) }, { default: {} }),
    }),
  );
  const first = check({});
  first.list.push("mine");
  first.inner.on = false;
  expect(check({})).toEqual({ list: [], inner: { on: true } });
  expect(check({ inner: { on: false } })).toEqual({ list: [], inner: { on: false } });
});

it("takes text for numbers and booleans in a query, and for nothing in a body", () => {
  const schema: TSchema = Type.Object({
    count: Type.Optional(Type.Integer({ minimum: 1 })),
    ratio: Type.Optional(Type.Number()),
    flag: Type.Optional(Type.Boolean()),
    name: Type.Optional(Type.String()),
  });
  const compile = (httpPart: string) =>
    compileValidator({ schema, method: "GET", url: "/", httpPart });
  const query = compile("querystring");
  const given = { count: "7", ratio: "-1.5", flag: "true", name: "12" };
  expect(query({ ...given })).toEqual({ value: { count: 7, ratio: -1.5, flag: true, name: "12" } });
  for (const wrong of [
    { count: "" },
    { count: " " },
    { count: "7.5" },
    { count: "0" },
    { count: "NaN" },
    { count: "Infinity" },
    { count: ["1", "2"] },
    { flag: "yes" },
    { flag: "1" },
    { name: ["a", "b"] },
  ]) {
    expect(query({ ...wrong }), JSON.stringify(wrong)).toHaveProperty("error");
  }
  expect(compile("body")({ ...given })).toHaveProperty("error");
});
