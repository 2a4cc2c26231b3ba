import type { Static } from "typebox";
import type { Decision } from "../../../agents/agent-backend.ts";
import { isId } from "../../../lib/ids.ts";
import { Problem } from "../../../problems/problem.ts";
import type { EarlierMessage } from "../../../replies/lifecycle/acceptance.ts";
import { readContent, textOfContent } from "../content.ts";
import { callsNone } from "../settings.ts";
import { faulty } from "../../faulty.ts";
import { checkSaid, type Said } from "../../said.ts";
import type { ResponseName } from "./project.ts";
import type { responseBody } from "./schemas.ts";

export type ResponseBody = Static<typeof responseBody>;

/** What is said, or what was decided. */
export interface ResponseInput {
  readonly said: Said;
  readonly earlier: readonly EarlierMessage[];
  readonly instructions: string;
  readonly decisions: readonly Decision[];
}

type Item = Readonly<Record<string, unknown>>;

/** `resp_<id>`, `resp_<id>_2`, or the bare id. Null: no id of a response. */
function responseName(id: string): ResponseName | null {
  const [, messageId = "", segment = "1"] =
    /^(?:resp_)?([0-9a-f-]{36})(?:_([2-9]|[1-9]\d{1,3}))?$/i.exec(id) ?? [];
  return isId(messageId) ? { messageId: messageId.toLowerCase(), segment: Number(segment) } : null;
}

/** Raises `message_not_found` for what is no id of a response. */
export function nameOf(id: string): ResponseName {
  const name = responseName(id);
  if (name === null) throw new Problem("message_not_found", { messageId: id });
  return name;
}

/** An item of a response from here that an input names, or holds. */
export interface KnownItem {
  readonly index: number;
  readonly name: ResponseName;
  /** It is there by its id alone: what it says has to be found. */
  readonly isReference: boolean;
}

/** The last of them: clients that keep the conversation themselves give all of it, by what they were given. Null: there is none. */
export function lastKnownItem(input: unknown): KnownItem | null {
  if (!Array.isArray(input)) return null;
  const named = input.flatMap((given: unknown, index): KnownItem[] => {
    const { type, id, approval_request_id: asked } = (given ?? {}) as Item;
    const name = ownerOf(type === "mcp_approval_response" ? asked : id);
    return name === null ? [] : [{ index, name, isReference: type === "item_reference" }];
  });
  const last = named.at(-1);
  if (last === undefined) return null;
  // What was decided stands behind what was asked, and is new.
  const { type } = input[last.index] as Item;
  return type === "mcp_approval_response" ? { ...last, index: last.index - 1 } : last;
}

const uuid = "([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})";
const itemId = new RegExp(`^(?:msg|rs|mcp|fc)_${uuid}(?:_([2-9]|[1-9]\\d{1,3}))?_\\d+$`, "i");
const approvalId = new RegExp(`^mcpr_${uuid}_(\\d{1,4})_([^]+)$`, "i");

/** The response that an item is part of. */
function ownerOf(id: unknown): ResponseName | null {
  if (typeof id !== "string") return null;
  const [, messageId, segment = "1"] = itemId.exec(id) ?? approvalId.exec(id) ?? [];
  return messageId === undefined
    ? null
    : { messageId: messageId.toLowerCase(), segment: Number(segment) };
}

/** Of a `conversation` of a body: its session's id; null: none is named. Raises `bad_request`, `session_not_found`. */
export function conversationId(given: unknown): string | null {
  if (given === undefined || given === null) return null;
  const id = typeof given === "object" ? (given as Item)["id"] : given;
  if (typeof id !== "string") {
    throw faulty(
      "/conversation",
      "must be the id of a conversation, or an object with it",
      "必须是会话 id，或带有 id 的对象",
    );
  }
  const sessionId = id.replace(/^conv_/, "").toLowerCase();
  if (!isId(sessionId)) throw new Problem("session_not_found", { sessionId: id });
  return sessionId;
}

/** Raises `unsupported_parameter` for what cannot be done. */
export function refuseUnsupportedOfResponse(body: ResponseBody): void {
  const { tools, prompt, text } = body as Item;
  const isSomething = (value: unknown) =>
    value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
  const named = [
    ["tools", callsNone(body as Item) ? null : tools],
    ["prompt", prompt],
  ].find(([, value]) => isSomething(value));
  if (named !== undefined) {
    throw new Problem("unsupported_parameter", {
      parameter: String(named[0]),
      en: "agents use the tools and instructions that they have here",
      zh: "智能体只使用其在此处配置的工具与指令",
    });
  }
  formatOf(text);
}

/** `text.format`, as the settings of a turn have it. Raises `bad_request`. */
export function formatOf(text: unknown): object | undefined {
  if (text === undefined || text === null) return undefined;
  if (typeof text !== "object") throw faulty("/text", "must be an object", "必须是对象");
  const { format } = text as Item;
  if (format === undefined || format === null) return undefined;
  if (typeof format !== "object") throw faulty("/text/format", "must be an object", "必须是对象");
  const { type, ...rest } = format as Item;
  return type === "json_schema" ? { type, json_schema: rest } : { type };
}

/**
 * Raises `bad_request` and `unsupported_parameter`. `from`: where what is new begins, of a conversation that is known here;
 * null: what comes before the last message was said elsewhere.
 */
export function readInput(
  body: ResponseBody,
  from: number | null,
  limits: { readonly maxMessageLength: number; readonly maxUploadBytes: number },
): ResponseInput {
  const { input } = body;
  const items: unknown[] =
    typeof input === "string" ? [{ role: "user", content: input }] : asList(input);
  const decisions: Decision[] = [];
  const instructions = body.instructions?.trim() ? [body.instructions] : [];
  const earlier: EarlierMessage[] = [];
  let last: { content: unknown; path: string } | null = null;
  const texts: string[] = [];
  for (const [index, given] of items.entries()) {
    if (typeof given !== "object" || given === null)
      throw faulty(`/input/${index}`, "must be an item", "必须是条目对象");
    const item = given as Item;
    const { type = "message", role } = item;
    const isKnown = index < (from ?? 0);
    if (isKnown && role !== "system" && role !== "developer") continue;
    if (type === "mcp_approval_response") decisions.push(approval(item, index));
    else if (type === "function_call_output") decisions.push(output(item, index));
    else if (type === "item_reference" && from === null)
      throw faulty(
        `/input/${index}/id`,
        "is no item of a response from here",
        "不是此处某个响应的条目",
      );
    else if (type !== "message") continue;
    else if (role === "system" || role === "developer")
      instructions.push(textOfContent(item["content"]));
    else if (role === "user" || role === "assistant") {
      if (last !== null) keep("user", textOfContent(last.content));
      last = null;
      if (role === "user") last = { content: item["content"], path: `/input/${index}/content` };
      else keep("assistant", textOfContent(item["content"]));
    } else throw faulty(`/input/${index}/role`, "is not known", "未知的角色");
  }
  function keep(role: "user" | "assistant", text: string): void {
    if (text.trim() === "") return;
    if (from !== null) {
      if (role === "user") texts.push(text);
    } else earlier.push({ role, text });
  }
  const read =
    last === null
      ? { text: "", files: [] }
      : readContent(last.content, last.path, limits.maxUploadBytes);
  const text = [...texts, read.text].filter((each) => each.trim() !== "").join("\n\n");
  const said = { text, files: read.files };
  if (decisions.length === 0) checkSaid(said, "/input", limits.maxMessageLength);
  else if (text !== "" || read.files.length > 0) {
    throw faulty(
      "/input",
      "has a message beside what was decided, which is for a further request",
      "在决定之外还带有消息，请另行发送",
    );
  }
  return { said, earlier, instructions: instructions.join("\n\n"), decisions };
}

function asList(input: unknown): unknown[] {
  if (Array.isArray(input) && input.length <= 10_000) return input;
  throw faulty("/input", "must be a text or a list of items", "必须是文本或条目列表");
}

function approval({ approval_request_id: id, approve, reason }: Item, index: number): Decision {
  if (typeof id !== "string" || typeof approve !== "boolean") {
    throw faulty(
      `/input/${index}`,
      "needs approval_request_id and approve",
      "需要 approval_request_id 与 approve",
    );
  }
  const note = typeof reason === "string" && reason !== "" ? { note: reason } : {};
  const [, , , requirementId = id.replace(/^mcpr_/, "")] = approvalId.exec(id) ?? [];
  return { id: requirementId, approved: approve, ...note };
}

function output({ call_id: id, output: given }: Item, index: number): Decision {
  if (typeof id !== "string") throw faulty(`/input/${index}`, "needs call_id", "需要 call_id");
  const result = typeof given === "string" ? given : textOfContent(given);
  return { id, approved: true, result };
}
