import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AgentInterrupted } from "../../agent-backend.ts";
import { UpstreamError } from "../../upstream/upstream-error.ts";
import { doneDocument, type AnswerDocument } from "./answer-parser.ts";
import type { ModelDelta } from "./chat-protocol.ts";
import { createCompletionReader } from "./completion-stream.ts";

const documentOf = (event: unknown): AnswerDocument =>
  event === "[DONE]"
    ? doneDocument
    : { event: null, value: event as Readonly<Record<string, unknown>> };

function read(...events: readonly unknown[]): ModelDelta[] {
  const reader = createCompletionReader();
  const deltas = events.flatMap((event) => reader.read(documentOf(event)));
  return [...deltas, ...reader.end()];
}

const delta = (fields: object, finishReason: string | null = null) => ({
  choices: [{ index: 0, delta: fields, finish_reason: finishReason }],
});
const end = (reason = "stop", toolCalls: readonly object[] = []) => ({
  type: "end",
  reason,
  toolCalls,
});

describe("a streamed completion", () => {
  test("is texts, reasoning under both of its names, and an end", () => {
    const deltas = read(
      delta({ role: "assistant", content: "" }),
      delta({ reasoning_content: "hm" }),
      delta({ reasoning: "mm" }),
      delta({ content: "你好" }),
      delta({ content: null }),
      delta({}, "stop"),
      "[DONE]",
    );
    expect(deltas).toEqual([
      { type: "reasoning", text: "hm" },
      { type: "reasoning", text: "mm" },
      { type: "text", text: "你好" },
      { ...end(), members: { reasoning_content: "hm", reasoning: "mm" } },
    ]);
  });

  test("gives the last usage once, in either spelling", () => {
    const usage = (fields: object) => ({ choices: [], usage: fields });
    expect(
      read(
        { ...delta({ content: "a" }), usage: { prompt_tokens: 3, completion_tokens: 1 } },
        { ...delta({}, "stop"), usage: { prompt_tokens: 3, completion_tokens: 2 } },
        usage({ prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 }),
        "[DONE]",
      ),
    ).toEqual([
      { type: "text", text: "a" },
      { type: "usage", inputTokens: 3, outputTokens: 5 },
      end(),
    ]);
    expect(
      read(delta({}, "stop"), usage({ input_tokens: 4, output_tokens: 6, latency: "x" })),
    ).toEqual([{ type: "usage", inputTokens: 4, outputTokens: 6 }, end()]);
    expect(
      read({ ...delta({}, "stop"), usage: { prompt_tokens: -1, completion_tokens: "many" } }),
    ).toEqual([end()]);
  });

  test.each<[string, object, object]>([
    ["nothing", delta({ role: "assistant", content: "b", refusal: null, tool_calls: null }), {}],
    [
      "usage",
      { ...delta({ content: "b" }), usage: { prompt_tokens: 1, completion_tokens: 2 } },
      { usage: 3 },
    ],
    ["thinking", delta({ content: "b", reasoning_content: "hm" }), { reasoning: "hm" }],
    [
      "a refusal",
      delta({ content: "b", refusal: "no" }),
      { text: "bno", reason: "content_filter" },
    ],
    [
      "an unknown member",
      delta({ content: "b", annotations: [1] }),
      { members: { annotations: [1] } },
    ],
    ["its end", delta({ content: "b" }, "length"), { reason: "length" }],
    [
      "a tool call",
      delta({ content: "b", tool_calls: [{ function: { name: "f" } }] }),
      { calls: 1 },
    ],
    ["an error", { ...delta({ content: "b" }), error: { message: "x" } }, { raises: true }],
    ["a failure", { ...delta({ content: "b" }), success: false }, { raises: true }],
  ])("reads a piece in mid-answer that holds %s beside its words", (_name, piece, expected) => {
    const found = (): object => {
      const deltas = read(delta({ content: "a " }), delta({ content: "a " }), piece, "[DONE]");
      const texts = (type: string) =>
        deltas.map((each) => (each.type === type && "text" in each ? each.text : "")).join("");
      const last = deltas.at(-1) as Extract<ModelDelta, { type: "end" }>;
      const usage = deltas.find((each) => each.type === "usage");
      return {
        text: texts("text").slice(4),
        reasoning: texts("reasoning"),
        usage: usage === undefined ? 0 : usage.inputTokens + usage.outputTokens,
        reason: last.reason,
        calls: last.toolCalls.length,
        members: last.members,
      };
    };
    if ("raises" in expected) expect(found).toThrow(UpstreamError);
    else
      expect(found()).toMatchObject({ text: "b", reasoning: "", usage: 0, calls: 0, ...expected });
  });

  test("names its end as ours", () => {
    const reasonOf = (reason: string) => read(delta({}, reason))[0];
    expect(reasonOf("length")).toEqual(end("length"));
    expect(reasonOf("max_tokens")).toEqual(end("length"));
    expect(reasonOf("content_filter")).toEqual(end("content_filter"));
    expect(reasonOf("sensitive")).toEqual(end("content_filter"));
    expect(reasonOf("eos")).toEqual(end("stop"));
    expect(() => reasonOf("error")).toThrow(UpstreamError);
  });

  test("may end with [DONE] alone, or with a finish_reason alone", () => {
    expect(read(delta({ content: "a" }), "[DONE]")).toEqual([{ type: "text", text: "a" }, end()]);
    expect(read(delta({ content: "a" }, "stop"))).toEqual([{ type: "text", text: "a" }, end()]);
  });

  test("may hold a whole message instead of a delta", () => {
    expect(
      read({
        choices: [{ message: { role: "assistant", content: "all" }, finish_reason: "stop" }],
      }),
    ).toEqual([{ type: "text", text: "all" }, end()]);
  });

  test("without either end is interrupted; without any event it has failed", () => {
    expect(() => read(delta({ content: "a" }))).toThrow(AgentInterrupted);
    expect(() => read()).toThrow(UpstreamError);
  });

  test.each([
    { error: { message: "secret words", code: "rate_limited" } },
    { error: "secret words" },
    { success: false, message: "secret words", error_code: "E1" },
    { detail: "secret words" },
  ])("that reports an error has failed: %j", (event) => {
    let message = "";
    try {
      read(delta({ content: "a" }), event);
    } catch (error) {
      expect(error).toBeInstanceOf(UpstreamError);
      message = String(error);
    }
    expect(message).toMatch(/reported an error/);
    expect(message).not.toContain("secret words");
  });

  test("is never answered with anything but deltas or an UpstreamError, whatever an event holds", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.dictionary(fc.string(), fc.jsonValue()),
          fc
            .record(
              {
                choices: fc.oneof(
                  fc.jsonValue(),
                  fc.array(
                    fc.record(
                      {
                        delta: fc.jsonValue(),
                        message: fc.jsonValue(),
                        finish_reason: fc.jsonValue(),
                      },
                      { requiredKeys: [] },
                    ),
                  ),
                  fc.array(
                    fc.record({
                      delta: fc.record({ content: fc.jsonValue(), tool_calls: fc.jsonValue() }),
                    }),
                  ),
                ),
                usage: fc.jsonValue(),
              },
              { requiredKeys: [] },
            )
            .map((chunk) => chunk as Readonly<Record<string, unknown>>),
        ),
        (event) => {
          const reader = createCompletionReader();
          try {
            for (const each of reader.read(documentOf(event)))
              expect(each.type).toMatch(/^(text|reasoning|media)$/);
            for (const each of reader.end())
              expect(each.type).toMatch(/^(text|reasoning|usage|end)$/);
          } catch (error) {
            if (!(error instanceof UpstreamError)) expect(error).toBeInstanceOf(AgentInterrupted);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe("calls of tools", () => {
  const calls = (...pieces: readonly unknown[]) => {
    const last = read(...pieces.map((piece) => delta({ tool_calls: piece })), "[DONE]").at(-1);
    return last?.type === "end" ? last.toolCalls : [];
  };
  const piece = (
    index: number | undefined,
    id: string | undefined,
    name?: string,
    args?: unknown,
  ) => ({
    ...(index === undefined ? {} : { index }),
    ...(id === undefined ? {} : { id }),
    function: {
      ...(name === undefined ? {} : { name }),
      ...(args === undefined ? {} : { arguments: args }),
    },
  });

  test("are put together from numbered pieces, interleaved", () => {
    expect(
      calls(
        [piece(0, "a", "one", ""), piece(1, "b", "two", "")],
        [piece(1, undefined, undefined, '{"y"')],
        [piece(0, undefined, undefined, '{"x":')],
        [piece(1, undefined, undefined, ":2}"), piece(0, undefined, undefined, "1}")],
      ),
    ).toEqual([
      { id: "a", name: "one", argumentsText: '{"x":1}' },
      { id: "b", name: "two", argumentsText: '{"y":2}' },
    ]);
  });

  test("are told apart by id where all are number 0", () => {
    expect(
      calls(
        [piece(0, "a", "one", "{}")],
        [piece(0, "b", "two", "{")],
        [piece(0, undefined, undefined, "}")],
      ),
    ).toEqual([
      { id: "a", name: "one", argumentsText: "{}" },
      { id: "b", name: "two", argumentsText: "{}" },
    ]);
  });

  test("are told apart by name where they have neither number nor id", () => {
    const [one, two] = calls(
      [piece(undefined, undefined, "one", "{")],
      [piece(undefined, undefined, undefined, "}")],
      [piece(undefined, undefined, "two", { z: 1 })],
    );
    expect(one).toMatchObject({ name: "one", argumentsText: "{}" });
    expect(two).toMatchObject({ name: "two", argumentsText: '{"z":1}' });
    expect(one?.id).not.toBe(two?.id);
    expect(one?.id).toMatch(/^call_/);
  });

  test("keep the first of repeated names, and those without a name are dropped", () => {
    expect(
      calls([piece(0, "a", "one", "{")], [piece(0, "a", "one", "}")], [piece(1, "b", "", "{}")]),
    ).toEqual([{ id: "a", name: "one", argumentsText: "{}" }]);
  });

  test("are bounded in number and size", () => {
    const many = Array.from({ length: 33 }, (_, index) => piece(index, `c${index}`, "one", "{}"));
    expect(() => calls(many)).toThrow(UpstreamError);
    const long = piece(0, "a", "one", "x".repeat(100 * 1024));
    expect(() => calls([long], [long], [long])).toThrow(UpstreamError);
  });
});
