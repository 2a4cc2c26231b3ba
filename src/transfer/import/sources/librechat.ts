import type { SourceConversation, SourceMessage } from "../conversation.ts";
import { idOf, momentOf, objectOf, objectsOf, tagsOf, textOf } from "../shapes.ts";

type Loose = Readonly<Record<string, unknown>>;

/** The parent of a message that has none. */
const noParent = "00000000-0000-0000-0000-000000000000";

/** LibreChat's export of a conversation, as a list of messages or as a tree of them; null for anything else. */
export function readLibreChat(value: Loose): SourceConversation | null {
  const given = value["messagesTree"] ?? value["messages"];
  const id = idOf(value["conversationId"]);
  if (id === null || !Array.isArray(given)) return null;
  const messages = flattened(objectsOf(given), value["recursive"] === true);
  return {
    source: "librechat",
    id,
    title: textOf(value["title"]),
    status: value["isArchived"] === true ? "archived" : "active",
    pinned: false,
    tags: tagsOf(value["tags"]),
    agentId: null,
    createdAt: messages[0]?.createdAt ?? momentOf(value["exportAt"]),
    config: {},
    metadata: {},
    messages,
    headId: null,
  };
}

/** However deep they nest, without going down in calls. */
function flattened(roots: readonly Loose[], isTree: boolean): SourceMessage[] {
  const messages: SourceMessage[] = [];
  const waiting = roots.toReversed().map((message) => ({ message, above: null as string | null }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { message, above } = next;
    const read = messageOf(message, isTree ? above : parentOf(message, messages.at(-1)?.id));
    messages.push(read);
    for (const child of objectsOf(message["children"]).toReversed()) {
      waiting.push({ message: child, above: read.id });
    }
  }
  return messages;
}

/** An export without branches may leave it out: each then follows the one before. */
function parentOf(message: Loose, before: string | undefined): string | null {
  if (message["parentMessageId"] === undefined) return before ?? null;
  const id = idOf(message["parentMessageId"]);
  return id === noParent ? null : id;
}

function messageOf(message: Loose, parentId: string | null): SourceMessage {
  const isUser =
    message["isCreatedByUser"] === true ||
    (message["isCreatedByUser"] === undefined && message["sender"] === "User");
  const parts = objectsOf(message["content"]);
  const model = textOf(message["model"]);
  const tools = parts.flatMap(({ type, tool_call: call }) =>
    type === "tool_call" ? [textOf(objectOf(call)?.["name"]) ?? ""] : [],
  );
  const said = partsOf(parts, "text");
  const thoughts = partsOf(parts, "think");
  return {
    id: idOf(message["messageId"]) ?? "",
    parentId,
    role: isUser ? "user" : "assistant",
    status: statusOf(message),
    content: said === "" ? (textOf(message["text"]) ?? "") : said,
    createdAt: momentOf(message["createdAt"]),
    metadata: {
      ...(!isUser && model !== null && { model }),
      ...(tools.length > 0 && { tools: tools.slice(0, 50) }),
    },
    reasoning: thoughts === "" ? null : thoughts,
    // Their bytes are not in the file.
    files: [],
  };
}

function statusOf(message: Loose): SourceMessage["status"] {
  if (message["error"] === true) return "failed";
  return message["unfinished"] === true ? "interrupted" : "complete";
}

/** A text stands in its part, or in a member `value` of it. */
function partsOf(parts: readonly Loose[], type: "text" | "think"): string {
  return parts
    .filter((part) => part["type"] === type)
    .map((part) => textOf(part[type]) ?? textOf(objectOf(part[type])?.["value"]) ?? "")
    .filter((text) => text !== "")
    .join("\n\n");
}
