import type { StoredMessage } from "../../chat/message-store.ts";
import type { Source } from "../../replies/extras.ts";
import type { Language } from "../../problems/catalogue.ts";
import type { Session } from "../../sessions/session-store.ts";

const words = {
  en: {
    untitled: "Conversation",
    user: "User",
    reasoning: "Reasoning",
    tool: "Tool",
    file: "File",
    source: "Source",
    event: "Event",
  },
  zh: {
    untitled: "对话",
    user: "用户",
    reasoning: "思考过程",
    tool: "工具",
    file: "文件",
    source: "来源",
    event: "事件",
  },
} as const;

/** What a message that is no plain question or answer ended as. */
const ends: Readonly<Record<string, Record<Language, string>>> = {
  cancelled: { en: "stopped", zh: "已停止" },
  interrupted: { en: "interrupted", zh: "已中断" },
  failed: { en: "failed", zh: "失败" },
  paused: { en: "waiting for a decision", zh: "等待确认" },
  streaming: { en: "still being written", zh: "正在生成" },
  queued: { en: "waiting", zh: "排队中" },
};

/** A conversation for people to read, message by message as they are read. */
export async function* markdownOf(
  session: Pick<Session, "title" | "createdAt">,
  messages: AsyncIterable<StoredMessage>,
  language: Language,
): AsyncGenerator<string> {
  const { untitled } = words[language];
  yield `# ${oneLine(session.title ?? untitled)}\n\n${moment(session.createdAt)}\n`;
  for await (const message of messages) {
    if (!isSummary(message)) yield `\n${messageText(message, language)}`;
  }
}

function messageText(message: StoredMessage, language: Language): string {
  const { role, agentId, createdAt, status, content, reasoning, toolCalls, attachments, extras } =
    message;
  const { user, reasoning: thoughts, tool, file, source, event } = words[language];
  const end = ends[status]?.[language];
  const name = role === "user" ? user : role === "assistant" ? oneLine(agentId) : role;
  const parts = [
    `## ${name} · ${moment(createdAt)}${end === undefined ? "" : ` · ${end}`}`,
    ...(attachments ?? []).map((each) => `- ${file}: ${oneLine(each.name)} (${each.media_type})`),
    ...(reasoning ? [quoted(`${thoughts}:\n\n${reasoning}`)] : []),
    ...(toolCalls ?? []).map((call) => `- ${tool}: ${oneLine(nameOf(call))}`),
    content,
    ...(extras?.tasks ?? []).map(({ status, title }) =>
      oneLine(`- [${status === "completed" ? "x" : " "}] ${title}`),
    ),
    ...(extras?.customEvents ?? []).map((each) => `- ${event}: ${oneLine(each.name)}`),
    ...(extras?.sources ?? []).map((each) => `- ${source}: ${linkTo(each)}`),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

/** Beside the path: it stands for messages that are all here. */
function isSummary({ role, metadata }: StoredMessage): boolean {
  return role === "system" && (metadata as { kind?: unknown }).kind === "summary";
}

function nameOf(call: object): string {
  const { tool_name: toolName, name } = call as { tool_name?: unknown; name?: unknown };
  return typeof toolName === "string" ? toolName : typeof name === "string" ? name : "";
}

function linkTo({ title, url, excerpt }: Source): string {
  const name = oneLine(title ?? excerpt ?? url ?? "").replaceAll(/[[\]\\]/g, "\\$&");
  return url === undefined ? name : `[${name}](<${url.replaceAll(/[<>\s]/g, encodeURIComponent)}>)`;
}

function quoted(text: string): string {
  return text.replaceAll(/^/gm, "> ");
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

function moment(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
