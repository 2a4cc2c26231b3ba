import { AgentInterrupted } from "../../agent-backend.ts";
import { UpstreamError } from "../../upstream/upstream-error.ts";
import { failureOf } from "./answer-failure.ts";
import type { AnswerDocument } from "./answer-parser.ts";
import type { ModelDelta } from "./chat-protocol.ts";
import type { CompletionReader } from "./completion-stream.ts";
import { finishReasonOf } from "./finish-reason.ts";
import { isFields, readMessage } from "./message-parts.ts";
import { itemsMember } from "./responses-request.ts";
import { createSourceReader } from "./source-reader.ts";
import { createThinkingTags } from "./thinking-tags.ts";
import { createToolCallCollector } from "./tool-call-collector.ts";
import { usageOf } from "./usage.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A part of a response: a message, a call, a thought. */
interface Item {
  said: string;
  thought: string;
  /** Servers that send thoughts and their summary send the same twice. */
  thoughtEvent: string | null;
  argumentsText: string;
  /** As `output_item.added` has told of it. */
  begun: Fields;
  isSettled: boolean;
}

/** Of what is sent back in the next round, in UTF-16 units of its JSON; beyond it calls go back without their thoughts. */
const maxItemsLength = 1024 * 1024;
const maxItems = 256;
const maxArgumentLength = 256 * 1024;

/** What the model wants back as it was; anything else is the server's own work. */
const sentBack: ReadonlySet<unknown> = new Set(["reasoning", "message", "function_call"]);

/** Translates one response of the Responses API, event by event, or the whole of it in one object. */
export function createResponseReader(): CompletionReader {
  const items = new Map<unknown, Item>();
  const tags = createThinkingTags();
  const toolCalls = createToolCallCollector();
  const kept: Fields[] = [];
  const sources = createSourceReader();
  let keptLength = 0;
  let reason: string | null = null;
  let refused = false;
  let usage: ModelDelta | null = null;
  /** Of all parts. */
  let said = "";
  let thought = "";
  let begun = false;
  let done = false;
  let last: unknown = null;
  /** The item that speaks, and whether the text so far ends in the middle of a line. */
  let speaker: Item | null = null;
  let isOpen = false;

  /** By its place in the output; some servers give ids alone, some nothing. */
  const itemOf = (key: unknown): Item => {
    const known = items.get(key ?? last);
    if (known !== undefined) return known;
    if (items.size >= maxItems)
      throw new UpstreamError("too_large", "too many parts of a response");
    const item = {
      said: "",
      thought: "",
      thoughtEvent: null,
      argumentsText: "",
      begun: {},
      isSettled: false,
    };
    items.set(key ?? last, item);
    return item;
  };

  const say = (item: Item, text: string): ModelDelta[] => {
    if (text === "") return [];
    item.said += text;
    said += text;
    const gap = speaker !== null && speaker !== item && isOpen ? "\n\n" : "";
    speaker = item;
    isOpen = !text.endsWith("\n");
    const { reasoning, text: words } = tags.add(gap + text);
    return [
      ...(reasoning === "" ? [] : [{ type: "reasoning" as const, text: reasoning }]),
      ...(words === "" ? [] : [{ type: "text" as const, text: words }]),
    ];
  };

  const think = (item: Item, text: string): ModelDelta[] => {
    if (text === "") return [];
    item.thought += text;
    thought += text;
    return [{ type: "reasoning", text }];
  };

  /** A part is whole: what of it has not been told yet. */
  const settle = (item: Item, whole: Fields, isLast = false): ModelDelta[] => {
    if (item.isSettled || kept.some((each) => isSame(each, whole))) return [];
    item.isSettled = true;
    const deltas: ModelDelta[] = [];
    const { type } = whole;
    if (type === "reasoning") {
      const { reasoning } = readMessage({ reasoning: whole["content"] });
      const { reasoning: summary } = readMessage({ reasoning: whole["summary"] });
      const all = reasoning === "" ? summary : reasoning;
      if (!isLast || !thought.includes(all)) deltas.push(...think(item, unsaid(all, item.thought)));
    } else if (type === "function_call") {
      const given = whole["arguments"];
      const text =
        typeof given === "string" && given !== ""
          ? given
          : isFields(given)
            ? JSON.stringify(given)
            : item.argumentsText;
      const called = { name: whole["name"], arguments: text };
      toolCalls.add([
        { index: kept.length, id: whole["call_id"] ?? whole["id"], function: called },
      ]);
    } else if (type === "image_generation_call") {
      const data = whole["result"];
      if (typeof data === "string" && data !== "") {
        const format = typeof whole["output_format"] === "string" ? whole["output_format"] : "png";
        deltas.push({ type: "media", kind: "image", url: `data:image/${format};base64,${data}` });
      }
    } else {
      const { text, reasoning, images, isRefusal } = readMessage(whole);
      refused ||= isRefusal;
      deltas.push(...think(item, unsaid(reasoning, item.thought)));
      if (!isLast || !said.includes(text)) deltas.push(...say(item, unsaid(text, item.said)));
      for (const url of images) deltas.push({ type: "media", kind: "image", url });
      const parts = Array.isArray(whole["content"]) ? (whole["content"] as readonly unknown[]) : [];
      for (const part of parts) if (isFields(part)) sources.add(part["annotations"]);
      deltas.push(...sources.news());
    }
    kept.push(whole);
    keptLength += JSON.stringify(whole).length;
    return deltas;
  };

  const finish = (response: Fields): ModelDelta[] => {
    const deltas: ModelDelta[] = [];
    if (isFields(response["usage"])) usage = usageOf(response["usage"]) ?? usage;
    const output = Array.isArray(response["output"]) ? (response["output"] as unknown[]) : [];
    for (const [index, whole] of output.entries()) {
      if (!isFields(whole)) continue;
      const item = items.get(whole["id"]) ?? items.get(index) ?? items.get(null);
      deltas.push(...settle(item ?? itemOf(index), whole, true));
    }
    const { status, incomplete_details: details } = response;
    if (status === "incomplete") {
      reason = finishReasonOf(isFields(details) ? details["reason"] : null) ?? "length";
    } else if (status === undefined || status === null || status === "completed") reason = "stop";
    else throw new AgentInterrupted(`the response ended as ${JSON.stringify(status)}`);
    return deltas;
  };

  return {
    get ended() {
      return done || reason !== null ? "over" : null;
    },
    read(document) {
      const { value } = document;
      if (value === undefined) {
        done = true;
        return [];
      }
      const named = value["type"] ?? document.event;
      const type = typeof named === "string" ? named : "";
      const { response } = value;
      const fault = faultOf(document, type);
      if (fault !== null) throw fault;
      if (value["object"] === "response") return finish(value);
      if (!type.startsWith("response.")) return [];
      begun = true;
      const key = value["output_index"] ?? value["item_id"] ?? null;
      if (key !== null) last = key;
      const delta = typeof value["delta"] === "string" ? value["delta"] : "";
      switch (type) {
        case "response.output_text.delta":
          return say(itemOf(key), delta);
        case "response.output_text.annotation.added":
          sources.add([value["annotation"]]);
          return sources.news();
        case "response.refusal.delta":
          refused = true;
          return say(itemOf(key), delta);
        case "response.reasoning_text.delta":
        case "response.reasoning.delta":
        case "response.reasoning_summary_text.delta":
        case "response.reasoning_summary.delta": {
          const item = itemOf(key);
          item.thoughtEvent ??= type;
          return item.thoughtEvent === type ? think(item, delta) : [];
        }
        case "response.reasoning_summary_part.added": {
          const item = itemOf(key);
          return item.thought === "" ? [] : think(item, "\n\n");
        }
        case "response.function_call_arguments.delta": {
          const item = itemOf(key);
          item.argumentsText += delta;
          if (item.argumentsText.length > maxArgumentLength) {
            throw new UpstreamError("too_large", "the arguments of a call are too long");
          }
          return [];
        }
        case "response.function_call_arguments.done": {
          const given = value["arguments"];
          if (typeof given === "string" && given !== "") itemOf(key).argumentsText = given;
          return [];
        }
        case "response.output_item.added":
        case "response.output_item.done": {
          const { item: whole } = value;
          if (!isFields(whole)) return [];
          const item = itemOf(key ?? whole["id"] ?? items.size);
          if (type === "response.output_item.done") return settle(item, whole);
          item.begun = whole;
          return [];
        }
        case "response.completed":
        case "response.done":
        case "response.incomplete":
        case "response.cancelled":
          return finish(isFields(response) ? response : { status: type.slice("response.".length) });
        default:
          return [];
      }
    },
    end() {
      if (reason === null && !done) {
        if (begun) throw new AgentInterrupted("the response ended without its last event");
        throw new UpstreamError("malformed", "the answer held no event of a response");
      }
      // Calls whose end was not told.
      for (const item of items.values()) {
        if (item.begun["type"] === "function_call") settle(item, item.begun);
      }
      const { reasoning, text } = tags.end();
      const why = reason ?? "stop";
      const calls = toolCalls.finish();
      const members =
        calls.length > 0 && keptLength <= maxItemsLength
          ? { [itemsMember]: kept.filter((item) => sentBack.has(item["type"])) }
          : null;
      return [
        ...(reasoning === "" ? [] : [{ type: "reasoning" as const, text: reasoning }]),
        ...(text === "" ? [] : [{ type: "text" as const, text }]),
        ...(usage ? [usage] : []),
        {
          type: "end",
          reason: refused && why === "stop" ? "content_filter" : why,
          toolCalls: calls,
          ...(members && { members }),
        },
      ];
    },
  };
}

/** A response that failed tells it in itself, anything else as it does in other protocols. */
function faultOf({ event, value }: AnswerDocument, type: string): UpstreamError | null {
  if (value === undefined) return null;
  const response = value["object"] === "response" ? value : value["response"];
  if (isFields(response) && (type === "response.failed" || response["status"] === "failed")) {
    const error = isFields(response["error"]) ? response["error"] : { message: "failed" };
    return failureOf({ event, value: { error } });
  }
  if (type === "response.failed" || type === "response.error") {
    return failureOf({ event: "error", value });
  }
  if (type.startsWith("response.") || value["object"] === "response") return null;
  return failureOf({ event, value });
}

/** The last event has all parts again, not always at their places. */
function isSame(known: Fields, item: Fields): boolean {
  const name = known["id"] === undefined || item["id"] === undefined ? "call_id" : "id";
  return known[name] !== undefined && known[name] === item[name];
}

/** What was told piece by piece is not told again. */
function unsaid(whole: string, said: string): string {
  return said === "" ? whole : whole.startsWith(said) ? whole.slice(said.length) : "";
}
