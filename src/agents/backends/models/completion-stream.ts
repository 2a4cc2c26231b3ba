import { AgentInterrupted } from "../../agent-backend.ts";
import { UpstreamError } from "../../upstream/upstream-error.ts";
import { failureOf } from "./answer-failure.ts";
import type { AnswerDocument } from "./answer-parser.ts";
import type { ModelDelta } from "./chat-protocol.ts";
import { finishReasonOf } from "./finish-reason.ts";
import { createKeptMembers } from "./kept-members.ts";
import { createLoneClosingTag } from "./lone-closing-tag.ts";
import { isFields, readMessage } from "./message-parts.ts";
import { createSourceReader } from "./source-reader.ts";
import { createThinkingTags } from "./thinking-tags.ts";
import { createToolCallCollector } from "./tool-call-collector.ts";
import { usageOf } from "./usage.ts";

/** Translates one streamed completion, object by object; no generator, because each costs time for each token. */
export interface CompletionReader {
  /**
   * How sure it is that all has been said: `over` after `[DONE]`; `likely` after a reason that stands alone, as the
   * last event of most servers does; `doubtful` after one that came with words; `contradicted` where words followed an
   * earlier one, because then a reason says nothing about the end; null while none stands.
   */
  readonly ended: "over" | "likely" | "doubtful" | "contradicted" | null;
  /** The deltas of one object. Raises an `UpstreamError` when it reports a failure or is not in the format. */
  read(document: AnswerDocument): readonly ModelDelta[];
  /**
   * The last deltas, after `[DONE]` or the end of the stream. Raises `AgentInterrupted` when the answer stopped without
   * a finish_reason and without `[DONE]`.
   */
  end(): readonly ModelDelta[];
}

/** Of a message; what else there is may be wanted back. */
const knownMembers: ReadonlySet<string> = new Set([
  "role",
  "content",
  "tool_calls",
  "function_call",
  "refusal",
  "images",
  "audio",
]);

const nothing: readonly ModelDelta[] = [];

export function createCompletionReader(): CompletionReader {
  const toolCalls = createToolCallCollector();
  const tags = createThinkingTags();
  const closing = createLoneClosingTag();
  const kept = createKeptMembers();
  const sources = createSourceReader();
  /** The last one that no words have followed. */
  let reason: string | null = null;
  let isAlone = false;
  let wasWrong = false;
  let refused = false;
  let usage: ModelDelta | null = null;
  let begun = false;
  let hasSpoken = false;
  let done = false;
  let said = "";
  let thought = "";
  /** From here on no tag in its text means anything. */
  let isAnswering = false;

  /** A tag has just shown that the answer begins here. */
  let isLeading = false;

  /** The next words of the answer, which said was before. */
  const answer = (given: string, before: string): readonly ModelDelta[] => {
    const parts = tags.hasThought ? null : closing.add(given, before);
    if (parts !== null) isLeading = true;
    const words = parts?.answer ?? given;
    const text = isLeading ? words.trimStart() : words;
    if (text !== "") isLeading = false;
    const told: readonly ModelDelta[] = text === "" ? nothing : [{ type: "text", text }];
    if (parts === null) return told;
    return [{ type: "reasoning", text: parts.thinking }, { type: "retract" }, ...told];
  };

  /** What is said takes an earlier reason back: the answer goes on. */
  const goOn = () => {
    if (reason === null) return;
    reason = null;
    wasWrong = true;
  };

  const readWords = (
    message: Readonly<Record<string, unknown>>,
    isWhole: boolean,
  ): ModelDelta[] => {
    const { text, reasoning, images, isRefusal } = readMessage(message);
    refused ||= isRefusal;
    const news = isWhole ? unsaid(text, said) : text;
    const newThoughts = isWhole ? unsaid(reasoning, thought) : reasoning;
    const before = said;
    said += news;
    thought += newThoughts;
    const { reasoning: tagged, text: words } = tags.add(news);
    isAnswering = tags.isOver;
    const deltas: ModelDelta[] = [];
    if (newThoughts !== "") deltas.push({ type: "reasoning", text: newThoughts });
    if (tagged !== "") deltas.push({ type: "reasoning", text: tagged });
    if (words !== "") deltas.push(...answer(words, before));
    for (const url of images) deltas.push({ type: "media", kind: "image", url });
    return deltas;
  };

  return {
    get ended() {
      if (done) return "over";
      // Some servers begin with it: that would be the end of nothing.
      if (reason === null || (reason === "stop" && !hasSpoken)) return null;
      if (wasWrong) return "contradicted";
      return isAlone ? "likely" : "doubtful";
    },
    read(document) {
      const { value: chunk } = document;
      if (chunk === undefined) {
        done = true;
        return nothing;
      }
      const words = reason === null && isAnswering ? plainWords(document) : null;
      if (words !== null) {
        const before = said;
        said += words;
        return answer(words, before);
      }
      const failure = failureOf(document);
      if (failure) throw failure;
      // Some servers send the sum so far with each event: the last one counts.
      if (isFields(chunk["usage"])) usage = usageOf(chunk["usage"]) ?? usage;
      const { choices } = chunk;
      const choice = Array.isArray(choices) ? (choices as readonly unknown[])[0] : choices;
      if (!isFields(choice)) return nothing;
      begun = true;
      const { delta, message, text } = choice;
      // Some servers answer with a whole message where a delta is expected, and some with a bare text.
      const given = isFields(delta) ? delta : isFields(message) ? message : null;
      sources.add(chunk["search_results"], chunk["citations"], given?.["annotations"]);
      // A whole message at the end of a stream repeats what its pieces said.
      const isFirstWhole = given === message && said === "" && thought === "";
      const deltas =
        given === null
          ? typeof text === "string"
            ? readWords({ content: text }, false)
            : []
          : readWords(given, given === message);
      const calls = given?.["tool_calls"] ?? legacyCall(given?.["function_call"]);
      const hasCalls = Array.isArray(calls) && calls.length > 0;
      if (hasCalls) toolCalls.add(calls as readonly unknown[]);
      if (given !== null && (given === delta || isFirstWhole)) kept.add(given, knownMembers);
      const speaks = deltas.length > 0 || hasCalls;
      deltas.push(...sources.news());
      hasSpoken ||= speaks;
      if (speaks) goOn();
      const last = finishReasonOf(choice["finish_reason"] ?? choice["finishReason"]);
      if (last === "error") throw new UpstreamError("failed", "the model ended in an error");
      if (last !== null) {
        reason = last;
        isAlone = !speaks || given === message;
      }
      return deltas;
    },
    end() {
      if (reason === null && !done) {
        if (begun) throw new AgentInterrupted("the model's answer ended without a finish_reason");
        throw new UpstreamError("malformed", "the answer held no event of a completion");
      }
      const { reasoning, text } = tags.end();
      const members = kept.all();
      const why = reason ?? "stop";
      return [
        ...(reasoning === "" ? [] : [{ type: "reasoning" as const, text: reasoning }]),
        ...(text === "" ? [] : [{ type: "text" as const, text }]),
        ...(usage ? [usage] : []),
        {
          type: "end",
          reason: refused && why === "stop" ? "content_filter" : why,
          toolCalls: toolCalls.finish(),
          ...(members && { members }),
        },
      ];
    },
  };
}

/**
 * The words of an object that holds nothing else; null for any other, which is read with care. For every token, so that
 * what servers do now and then costs nothing where they do not.
 */
function plainWords({ value: chunk }: AnswerDocument): string | null {
  if (chunk === undefined || chunk["success"] === false) return null;
  if (isThere(chunk["error"]) || isThere(chunk["usage"])) return null;
  if (isThere(chunk["citations"]) || isThere(chunk["search_results"])) return null;
  const { choices } = chunk;
  const choice = Array.isArray(choices) ? (choices[0] as Record<string, unknown> | null) : null;
  const delta = choice?.["delta"] as Record<string, unknown> | null | undefined;
  if (
    choice?.["finish_reason"] ||
    choice?.["finishReason"] ||
    typeof delta !== "object" ||
    delta === null
  )
    return null;
  for (const name in delta) {
    if (name !== "content" && name !== "role" && isThere(delta[name])) return null;
  }
  const { content } = delta;
  return typeof content === "string" && content !== "" ? content : null;
}

function isThere(member: unknown): boolean {
  return member !== undefined && member !== null;
}

function unsaid(whole: string, said: string): string {
  return whole.startsWith(said) ? whole.slice(said.length) : whole;
}

/** Before there were tools there was one function. */
function legacyCall(call: unknown): readonly unknown[] | null {
  return isFields(call) ? [{ index: 0, function: call }] : null;
}
