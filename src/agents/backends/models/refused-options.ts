import type { Logger } from "../../../telemetry/logger.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import type { ChatMessage, ContentPart } from "./chat-protocol.ts";
import { refusedSetting, type WireSettings } from "./model-settings.ts";
import { thinkingNames } from "./message-parts.ts";
import { itemsMember } from "./responses-request.ts";
import { refusalKindOf } from "./refusal.ts";

type Members = Readonly<Record<string, unknown>>;

/** What some models or servers refuse, and a conversation can do without. */
export type OptionalMember =
  | "stream_options"
  /** What a model has thought, sealed; models that do not think refuse to be asked for it. */
  | "include"
  | "tools"
  | "temperature"
  | "system"
  | "thinking"
  /** Those of earlier messages; without its own the question would be another one. */
  | "pictures"
  /** Newer models want another name for it. */
  | "max_tokens";

/** Model names may come from callers: only so many are remembered. */
const maxModels = 200;
/** Models and servers are replaced: after so long it is tried again. */
const keptMs = 60 * 60_000;

/** Remembers which members each model refuses. */
export interface RefusedOptions {
  of(model: string): ReadonlySet<OptionalMember>;
  remember(model: string, members: ReadonlySet<OptionalMember>): void;
}

export function createRefusedOptions(
  log: Logger,
  now: () => number = () => performance.now(),
): RefusedOptions {
  const refused = new Map<string, { members: ReadonlySet<OptionalMember>; untilMs: number }>();
  const nothing: ReadonlySet<OptionalMember> = new Set();
  return {
    of(model) {
      const known = refused.get(model);
      if (known === undefined) return nothing;
      if (now() < known.untilMs) return known.members;
      refused.delete(model);
      return nothing;
    },
    remember(model, members) {
      if (refused.get(model)?.members.size === members.size) return;
      if (refused.size >= maxModels) refused.delete(refused.keys().next().value ?? "");
      refused.set(model, { members, untilMs: now() + keptMs });
      const fields = { model, refused: [...members] };
      log.warn(fields, "the model refuses members of a request, they are left out for an hour");
    },
  };
}

export interface Blame {
  readonly member: OptionalMember;
  /** The refusal names it; else it is only a guess, which is not worth remembering. */
  readonly isNamed: boolean;
}

const refusing = String.raw`(not|n't|un)[ _-]?(\w+ )?(support|allow|permit|recogni|expect|known|available|accept|enabl)|extra|invalid|must be removed|forbidden`;

/** How a refusal names each of them. */
const names: readonly (readonly [member: OptionalMember, pattern: RegExp])[] = [
  ["stream_options", /stream_options|include_usage/i],
  ["include", /encrypted.content|["'`]include["'`]/i],
  ["temperature", /temperature/i],
  ["max_tokens", /max_completion_tokens/i],
  [
    "system",
    new RegExp(
      `system[ _]?(role|message|prompt|instruction)s?.{0,60}(${refusing})|(${refusing}).{0,60}system|developer instruction is not enabled`,
      "i",
    ),
  ],
  ["thinking", new RegExp(thinkingNames.join("|").replace("|thought|", "|"), "i")],
  [
    "tools",
    new RegExp(
      `"param": ?"tool|\\b(tools?|tool_choice|tool use|function calling)\\b.{0,60}(${refusing})|(${refusing}).{0,60}\\b(tools|tool_choice|tool use|function calling)\\b`,
      "i",
    ),
  ],
];

/**
 * What to leave out before another try, when `error` is a 400 or 422 that may be about something that was sent: what it
 * names, else `stream_options`, which the oldest servers do not know. Null when there is nothing to blame, such as when
 * it is about the length of the conversation.
 */
export function refusedMember(
  error: unknown,
  sent: Members,
  /** Pictures that came with the question itself. */
  ownPictures: number,
  /** What was asked for is not left out. */
  settings: WireSettings,
): Blame | null {
  const fault = upstreamErrorOf(error);
  if (fault?.status !== 400 && fault?.status !== 422) return null;
  const text = fault.bodyExcerpt;
  const kind = refusalKindOf(fault);
  if (kind === "images" && hasOthers(messagesOf(sent), ownPictures)) {
    return { member: "pictures", isNamed: true };
  }
  if (kind !== null) return null;
  if (refusedSetting(text, settings) !== null && !/max_completion_tokens/i.test(text)) return null;
  const named = names.find(([member, pattern]) => pattern.test(text) && isSent(member, sent));
  if (named) return { member: named[0], isNamed: true };
  return isSent("stream_options", sent) ? { member: "stream_options", isNamed: false } : null;
}

function isSent(member: OptionalMember, sent: Members): boolean {
  if (member === "system") return messagesOf(sent).some(({ role }) => role === "system");
  if (member === "thinking") return messagesOf(sent).some(hasThinking);
  return sent[member] !== undefined;
}

function messagesOf(sent: Members): readonly ChatMessage[] {
  const { messages } = sent;
  return Array.isArray(messages) ? (messages as readonly ChatMessage[]) : [];
}

/** The request without what is refused. What a system message said is put before the user's first words. */
export function without(
  members: Members,
  omitted: ReadonlySet<OptionalMember>,
  ownPictures: number,
): Members {
  const kept: Record<string, unknown> = { ...members };
  for (const member of omitted) {
    if (member === "max_tokens") kept["max_completion_tokens"] = kept[member];
    delete kept[member];
    if (member === "tools") delete kept["tool_choice"];
  }
  let messages = messagesOf(members);
  if (omitted.has("thinking")) messages = messages.map(withoutThinking);
  if (omitted.has("pictures")) messages = withoutOthers(messages, ownPictures);
  if (omitted.has("system")) messages = withoutSystem(messages);
  kept["messages"] = messages;
  return kept;
}

/** Members of a message in which thinking is sent back. */
const sealed = [...thinkingNames, itemsMember] as const;

function hasThinking(message: ChatMessage): boolean {
  return message.role === "assistant" && sealed.some((name) => message[name] !== undefined);
}

function withoutThinking(message: ChatMessage): ChatMessage {
  if (!hasThinking(message)) return message;
  const kept: Record<string, unknown> = { ...message };
  for (const name of sealed) delete kept[name];
  return kept as unknown as ChatMessage;
}

function hasOthers(messages: readonly ChatMessage[], ownPictures: number): boolean {
  return picturesIn(messages) > ownPictures;
}

function picturesIn(messages: readonly ChatMessage[]): number {
  return messages.reduce((sum, { role, content }) => {
    const parts = role === "user" && typeof content !== "string" ? content : [];
    return sum + parts.filter(({ type }) => type === "image_url").length;
  }, 0);
}

/** Those of the question are the last ones. */
function withoutOthers(
  messages: readonly ChatMessage[],
  ownPictures: number,
): readonly ChatMessage[] {
  let others = picturesIn(messages) - ownPictures;
  return messages.map((message): ChatMessage => {
    if (message.role !== "user" || typeof message.content === "string") return message;
    const content = message.content.map((part): ContentPart => {
      if (part.type !== "image_url") return part;
      others -= 1;
      return others < 0 ? part : { type: "text", text: "[a picture, which you cannot see]" };
    });
    const isText = content.every(({ type }) => type === "text");
    return { role: "user", content: isText ? textsOf(content) : content };
  });
}

/** Servers without pictures may also take nothing but plain texts. */
function textsOf(content: readonly ContentPart[]): string {
  return content.map((part) => (part.type === "text" ? part.text : "")).join("\n\n");
}

function withoutSystem(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const instructions = messages.flatMap((each) => (each.role === "system" ? [each.content] : []));
  const rest = messages.filter((each) => each.role !== "system");
  const first = rest.findIndex((each) => each.role === "user");
  return rest.map((message, index) =>
    index === first && message.role === "user"
      ? { role: "user", content: putBefore(instructions.join("\n\n"), message.content) }
      : message,
  );
}

function putBefore(
  text: string,
  content: string | readonly ContentPart[],
): string | readonly ContentPart[] {
  return typeof content === "string"
    ? `${text}\n\n${content}`
    : [{ type: "text", text }, ...content];
}
