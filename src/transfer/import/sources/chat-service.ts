import { taskStatuses } from "../../../agents/agent-backend.ts";
import type { CustomEvent, Extras, Task } from "../../../replies/extras.ts";
import { outputFormats } from "../../../replies/structured-output.ts";
import { documentFormat, documentVersion } from "../../document-format.ts";
import {
  ImportFault,
  type OwnParts,
  type SourceConversation,
  type SourceFile,
  type SourceMessage,
} from "../conversation.ts";
import { idOf, momentOf, objectOf, objectsOf, tagsOf, textOf } from "../shapes.ts";

type Loose = Readonly<Record<string, unknown>>;

/** Our own export; null for anything else. */
export function readChatService(value: Loose): SourceConversation | null {
  if (value["format"] !== documentFormat) return null;
  if (value["version"] !== documentVersion) {
    const version = (idOf(value["version"]) ?? "?").slice(0, 20);
    throw new ImportFault(
      `The file is of version ${version}; this service reads version ${documentVersion}. Update the service.`,
      `文件版本为 ${version}，本服务只能读取版本 ${documentVersion}。请升级服务。`,
    );
  }
  const session = objectOf(value["session"]) ?? {};
  return {
    source: "chat-service",
    id: idOf(session["session_id"]) ?? "",
    title: textOf(session["title"]),
    status: session["status"] === "archived" ? "archived" : "active",
    pinned: session["pinned"] === true,
    tags: tagsOf(session["tags"]),
    agentId: textOf(session["agent_id"]),
    createdAt: momentOf(session["created_at"]),
    config: objectOf(session["config"]) ?? {},
    metadata: objectOf(session["metadata"]) ?? {},
    messages: objectsOf(value["messages"]).filter(isSaid).map(messageOf),
    headId: idOf(session["head_message_id"]),
  };
}

const ended = ["complete", "cancelled", "interrupted", "failed"] as const;
const roles = ["user", "assistant", "system"] as const;

/** A summary stands beside what was said, for a model; it is made anew where one has need of it. */
function isSaid(message: Loose): boolean {
  return message["role"] !== "system" || objectOf(message["metadata"])?.["kind"] !== "summary";
}

function messageOf(message: Loose): SourceMessage {
  return {
    id: idOf(message["message_id"]) ?? "",
    parentId: idOf(message["parent_id"]),
    role: roles.find((role) => role === message["role"]) ?? "system",
    // Nobody goes on making what was being made.
    status: ended.find((status) => status === message["status"]) ?? "interrupted",
    content: textOf(message["content"]) ?? "",
    createdAt: momentOf(message["timestamp"]),
    metadata: objectOf(message["metadata"]) ?? {},
    reasoning: textOf(message["reasoning"]),
    files: objectsOf(message["attachments"]).flatMap(fileOf),
    own: ownParts(message),
  };
}

function fileOf({ name, media_type: mediaType, data }: Loose): SourceFile[] {
  // A file that went while it was exported.
  if (typeof data !== "string") return [];
  return [{ name: textOf(name) ?? "", mediaType: textOf(mediaType) ?? "", from: { data } }];
}

function ownParts(message: Loose): OwnParts {
  return {
    agentId: textOf(message["agent_id"]),
    usage: usageOf(message["usage"]),
    finishReason: textOf(message["finish_reason"]),
    error: errorOf(message["error"]),
    toolCalls: listed(message["tool_calls"]),
    media: listed(message["media"]),
    extras: extrasOf(message),
    unspoken: textOf(message["unspoken"]),
    context: objectOf(message["context"]),
    outputFormat: outputFormats.find((each) => each === message["output_format"]) ?? null,
    feedback: feedbackOf(message["feedback"]),
  };
}

function extrasOf(message: Loose): Extras | null {
  const sources = objectsOf(message["sources"]).map(({ title, url, excerpt }) => ({
    title: textOf(title) ?? "",
    url: textOf(url) ?? "",
    excerpt: textOf(excerpt) ?? "",
  }));
  const given = message["suggestions"];
  const suggestions = (Array.isArray(given) ? (given as unknown[]) : []).flatMap(
    (each) => textOf(each) ?? [],
  );
  const model = textOf(message["model"]);
  return {
    sources,
    suggestions,
    tasks: tasksOf(message),
    customEvents: customEventsOf(message),
    ...(model && { model }),
  };
}

function tasksOf(message: Loose): readonly Task[] {
  return objectsOf(message["tasks"]).map(({ id, title, status, assignee }) => ({
    id: textOf(id) ?? "",
    title: textOf(title) ?? "",
    status: taskStatuses.find((each) => each === status) ?? "pending",
    assignee: textOf(assignee) ?? "",
  }));
}

function customEventsOf(message: Loose): readonly CustomEvent[] {
  return objectsOf(message["custom_events"]).map((event) => {
    const data = objectOf(event["data"]);
    return {
      name: textOf(event["name"]) ?? "",
      ...(data !== null && { data }),
      agent_id: textOf(event["agent_id"]) ?? "",
    };
  });
}

function listed(value: unknown): readonly object[] | null {
  const objects = objectsOf(value);
  return objects.length > 0 ? objects : null;
}

function usageOf(value: unknown): object | null {
  const usage = objectOf(value);
  if (usage === null) return null;
  const isCounted = [usage["input_tokens"], usage["output_tokens"]].every(Number.isSafeInteger);
  return isCounted ? usage : null;
}

function errorOf(value: unknown): object | null {
  const { type, code, message } = objectOf(value) ?? {};
  const isWhole =
    typeof type === "string" && typeof message === "string" && Number.isSafeInteger(code);
  return isWhole ? { type, code, message } : null;
}

function feedbackOf(value: unknown): OwnParts["feedback"] {
  const { rating, tags, comment, timestamp } = objectOf(value) ?? {};
  if (rating !== "up" && rating !== "down") return null;
  return {
    rating,
    tags: tagsOf(tags),
    comment: textOf(comment)?.slice(0, 4_000) ?? null,
    timestamp: (momentOf(timestamp) ?? new Date()).toISOString(),
  };
}
