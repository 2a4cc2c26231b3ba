import type { Language } from "../../../problems/catalogue.ts";
import type { Attachment, HistoryMessage, RunRequest } from "../../agent-backend.ts";
import { localized } from "./agents.ts";
import type { ChatMessage, ContentPart } from "./chat-protocol.ts";
import type { ModelAgent } from "./default-agents.ts";

/** A caller's `context` beyond this is cut. */
const maxContextLength = 16_384;

/** The messages that a conversation with this agent starts from. */
export function promptFor(
  agent: ModelAgent,
  request: RunRequest,
  history: readonly HistoryMessage[],
  /** What the user, or the agent that delegates, says. */
  message: string,
): ChatMessage[] {
  const told = history.filter((each) => each.content.trim() !== "");
  const before = inTurns(told.filter((each) => each.role !== "system"));
  const unanswered = before.at(-1)?.role === "user" ? before.pop()?.content : undefined;
  const said = [unanswered, message].filter((text) => text !== undefined).join("\n\n");
  return [
    ...systemMessage(agent, request, told),
    ...before.map(({ role, content }): ChatMessage => ({ role, content })),
    { role: "user", content: withAttachments(said, request.attachments) },
  ];
}

interface Said {
  readonly role: "user" | "assistant";
  content: string;
}

/**
 * Many chat templates only take roles that alternate, beginning with the user: answers whose question is no longer in
 * sight are left out, and messages that were never answered, because their reply failed, become one with the next.
 */
function inTurns(history: readonly HistoryMessage[]): Said[] {
  const turns: Said[] = [];
  for (const { role, content } of history) {
    const last = turns.at(-1);
    if (last?.role === role) last.content += `\n\n${content}`;
    else if (role === "user" || (role === "assistant" && last)) turns.push({ role, content });
  }
  return turns;
}

/** What an agent that was asked by another one is told: the task, and the message that led to it. */
export function delegatedMessage(task: string, from: ModelAgent, request: RunRequest): string {
  const name = localized(from.name, request.language);
  return request.language === "zh"
    ? `${name}请你完成以下任务，你的回答将交给${name}：\n\n${task}\n\n供参考，用户的原话是：\n\n${request.message}`
    : `${name} asks you to do the following; your answer goes to ${name}.\n\n${task}\n\nFor reference, the user wrote:\n\n${request.message}`;
}

/** One system message, because some chat templates take no second one. */
function systemMessage(
  agent: ModelAgent,
  request: RunRequest,
  history: readonly HistoryMessage[],
): ChatMessage[] {
  const { instructions } = request.settings;
  const parts = [
    localized(agent.instructions, request.language),
    instructions ?? "",
    contextText(request.context, request.language),
    ...history.filter((each) => each.role === "system").map((each) => each.content),
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

/** Images are shown; of anything else the model is only told that it is there. */
function withAttachments(
  message: string,
  attachments: readonly Attachment[],
): string | readonly ContentPart[] {
  const isImage = ({ mediaType }: Attachment) => mediaType.startsWith("image/");
  const others = attachments.filter((attachment) => !isImage(attachment));
  const notes = others.map(
    ({ name, mediaType }) => `[attached: ${name} (${mediaType}), not shown to you]`,
  );
  const text = [message, ...notes].join("\n\n");
  const images = attachments.filter(isImage);
  if (images.length === 0) return text;
  return [
    { type: "text", text },
    ...images.map(({ mediaType, bytes }): ContentPart => ({
      type: "image_url",
      image_url: { url: `data:${mediaType};base64,${Buffer.from(bytes).toString("base64")}` },
    })),
  ];
}
