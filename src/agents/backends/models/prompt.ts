import type { Language } from "../../../problems/catalogue.ts";
import type { RunRequest } from "../../agent-backend.ts";
import { localized } from "./agents.ts";
import type { ChatMessage, ContentPart } from "./chat-protocol.ts";
import type { ModelAgent } from "./default-agents.ts";
import { withFiles } from "./files-in-prompt.ts";
import type { Past, PastTurn } from "./past-turns.ts";
import { tokensOfMessage } from "./token-estimate.ts";

/** A caller's `context` beyond this is cut. */
const maxContextLength = 16_384;
/** Text files that come with a message, all together, in UTF-16 units. */
const maxTextLength = 256 * 1024;
/** What they may take of the room for the whole prompt, with three or more characters to a token. */
const lengthOfToken = 3 / 2;

/** What a conversation with an agent starts from. */
export interface Prompt {
  /** None or one: some chat templates take no second one. */
  readonly system: readonly ChatMessage[];
  readonly past: Past;
  readonly message: ChatMessage & { readonly role: "user" };
  /** Of everything but the past. */
  readonly tokens: number;
}

export function promptFor(
  agent: ModelAgent,
  request: RunRequest,
  past: Past,
  /** What the user, or the agent that delegates, says. */
  message: string,
  roomTokens: number,
): Prompt {
  const system = systemMessage(agent, request, past.instructions);
  const content = withFiles(message, request.attachments, lengthOfTexts(roomTokens));
  const said = { role: "user", content } as const;
  const tokens = [...system, said].reduce((sum, each) => sum + tokensOfMessage(each), 0);
  return { system, past, message: said, tokens };
}

/** Of all text files that come with a message, at most. */
export function lengthOfTexts(roomTokens: number): number {
  return Math.min(maxTextLength, roomTokens * lengthOfToken);
}

/** What of a conversation goes to a model. */
export interface FittedPrompt {
  readonly messages: readonly ChatMessage[];
  readonly turns: readonly PastTurn[];
  readonly tokens: number;
}

/** The prompt with as many of the newest turns as have room, whole ones only. */
export function fitPrompt(prompt: Prompt, roomTokens: number): FittedPrompt {
  const { turns } = prompt.past;
  let tokens = prompt.tokens;
  let first = turns.length;
  for (; first > 0; first -= 1) {
    const turn = turns[first - 1] as PastTurn;
    if (tokens + turn.tokens > roomTokens) break;
    tokens += turn.tokens;
  }
  const kept = turns.slice(first);
  const said = alternating([...kept.flatMap(({ messages }) => messages), prompt.message]);
  return { messages: [...prompt.system, ...said], turns: kept, tokens };
}

/**
 * Many chat templates only take roles that alternate: messages that were never answered, because their reply failed,
 * become one with the next.
 */
function alternating(messages: readonly ChatMessage[]): ChatMessage[] {
  const joined: ChatMessage[] = [];
  for (const message of messages) {
    const last = joined.at(-1);
    if (last?.role === "user" && message.role === "user") {
      joined[joined.length - 1] = { role: "user", content: join(last.content, message.content) };
    } else if (last?.role === "assistant" && message.role === "assistant") {
      const content = [last.content, message.content].join("\n\n");
      joined[joined.length - 1] = { role: "assistant", content };
    } else joined.push(message);
  }
  return joined;
}

function join(
  first: string | readonly ContentPart[],
  second: string | readonly ContentPart[],
): string | readonly ContentPart[] {
  if (typeof first === "string" && typeof second === "string") return `${first}\n\n${second}`;
  const before = partsOf(first);
  const after = partsOf(second);
  const end = before.at(-1);
  const start = after[0];
  if (end?.type !== "text" || start?.type !== "text") return [...before, ...after];
  const text = `${end.text}\n\n${start.text}`;
  return [...before.slice(0, -1), { type: "text", text }, ...after.slice(1)];
}

function partsOf(content: string | readonly ContentPart[]): readonly ContentPart[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

/** What an agent that was asked by another one is told: the task, and the message that led to it. */
export function delegatedMessage(task: string, from: ModelAgent, request: RunRequest): string {
  const name = localized(from.name, request.language);
  return request.language === "zh"
    ? `${name}请你完成以下任务，你的回答将交给${name}：\n\n${task}\n\n供参考，用户的原话是：\n\n${request.message}`
    : `${name} asks you to do the following; your answer goes to ${name}.\n\n${task}\n\nFor reference, the user wrote:\n\n${request.message}`;
}

function systemMessage(
  agent: ModelAgent,
  request: RunRequest,
  instructions: readonly string[],
): ChatMessage[] {
  const parts = [
    localized(agent.instructions, request.language),
    request.settings.instructions ?? "",
    contextText(request.context, request.language),
    ...instructions,
  ].filter((part) => part.trim() !== "");
  return parts.length === 0 ? [] : [{ role: "system", content: parts.join("\n\n") }];
}

function contextText(context: RunRequest["context"], language: Language): string {
  if (!context || Object.keys(context).length === 0) return "";
  const text = JSON.stringify(context).slice(0, maxContextLength);
  return language === "zh"
    ? `应用提供的背景信息（JSON）：\n${text}`
    : `Background given by the application, as JSON:\n${text}`;
}
