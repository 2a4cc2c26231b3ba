import type { SourceConversation, SourceFile, SourceMessage } from "../conversation.ts";
import { idOf, isObject, listOf, momentOf, objectOf, objectsOf, textOf } from "../shapes.ts";

type Loose = Readonly<Record<string, unknown>>;

/** What is not shown: calls of tools, their results, hidden instructions. It stays with what follows it. */
interface Folded {
  readonly role: string;
  readonly kind: string;
  readonly text: string;
}

interface Node {
  readonly id: string;
  readonly parentId: string | null;
  readonly message: Loose | null;
}

/** Of what is folded into one message. */
const maxFoldedLength = 16_000;
const maxFolded = 50;

/** A conversation of ChatGPT's `conversations.json`; null for anything else. */
export function readChatGpt(value: Loose): SourceConversation | null {
  const mapping = objectOf(value["mapping"]);
  if (mapping === null) return null;
  const nodes = new Map<string, Node>();
  for (const [id, node] of Object.entries(mapping)) {
    if (!isObject(node)) continue;
    nodes.set(id, { id, parentId: idOf(node["parent"]), message: objectOf(node["message"]) });
  }
  const shown = [...nodes.values()].filter(isShown);
  const current = idOf(value["current_node"]);
  return {
    source: "chatgpt",
    id: idOf(value["conversation_id"]) ?? idOf(value["id"]) ?? "",
    title: textOf(value["title"]),
    status: value["is_archived"] === true ? "archived" : "active",
    pinned: value["is_starred"] === true,
    tags: [],
    agentId: null,
    createdAt: momentOf(value["create_time"]),
    config: {},
    metadata: {},
    messages: shown.map((node) => messageOf(node, nodes)),
    headId: current === null ? null : (shownAbove(current, nodes).shown?.id ?? null),
  };
}

function isShown({ message }: Node): boolean {
  if (message === null) return false;
  const role = objectOf(message["author"])?.["role"];
  const metadata = objectOf(message["metadata"]);
  const kind = objectOf(message["content"])?.["content_type"];
  return (
    (role === "user" || role === "assistant" || role === "system") &&
    metadata?.["is_visually_hidden_from_conversation"] !== true &&
    (message["recipient"] ?? "all") === "all" &&
    (kind === "text" || kind === "multimodal_text") &&
    (textOfContent(message) !== "" || filesOf(message).length > 0)
  );
}

/** The nearest message that is shown, this one or above it, and what lies between. A circle above it ends nowhere. */
function shownAbove(
  start: string,
  nodes: ReadonlyMap<string, Node>,
): {
  readonly shown: Node | null;
  readonly between: readonly Node[];
  readonly missing: string | null;
} {
  const between: Node[] = [];
  const seen = new Set<string>();
  for (let id: string | null = start; id !== null;) {
    const node = nodes.get(id);
    // Not there, or met before: told by who arranges them.
    if (node === undefined || seen.has(id)) return { shown: null, between, missing: id };
    if (isShown(node)) return { shown: node, between, missing: null };
    seen.add(id);
    between.push(node);
    id = node.parentId;
  }
  return { shown: null, between, missing: null };
}

function messageOf(node: Node, nodes: ReadonlyMap<string, Node>): SourceMessage {
  const message = node.message ?? {};
  const { shown, between, missing } =
    node.parentId === null
      ? { shown: null, between: [], missing: null }
      : shownAbove(node.parentId, nodes);
  const metadata = objectOf(message["metadata"]);
  const hidden = between.toReversed().flatMap(foldedOf);
  const thoughts = hidden.filter(({ kind }) => kind === "thoughts");
  const folded = hidden.filter(({ kind }) => kind !== "thoughts").slice(0, maxFolded);
  const role = textOf(objectOf(message["author"])?.["role"]) as SourceMessage["role"];
  const model = textOf(metadata?.["model_slug"]);
  return {
    id: node.id,
    parentId: shown?.id ?? missing,
    role,
    status: message["status"] === "in_progress" ? "interrupted" : "complete",
    content: textOfContent(message),
    createdAt: momentOf(message["create_time"]),
    metadata: {
      ...(role === "assistant" && model !== null && { model }),
      ...(folded.length > 0 && { folded: cut(folded) }),
    },
    reasoning: thoughts.length > 0 ? thoughts.map(({ text }) => text).join("\n\n") : null,
    files: filesOf(message),
  };
}

function foldedOf({ message }: Node): Folded[] {
  if (message === null) return [];
  const content = objectOf(message["content"]);
  const kind = textOf(content?.["content_type"]) ?? "unknown";
  const author = objectOf(message["author"]);
  const text = textOfContent(message);
  if (text === "") return [];
  return [{ role: textOf(author?.["name"]) ?? textOf(author?.["role"]) ?? "", kind, text }];
}

function cut(folded: readonly Folded[]): Folded[] {
  const each = Math.floor(maxFoldedLength / folded.length);
  return folded.map(({ text, ...rest }) => ({
    ...rest,
    text: text.length > each ? `${text.slice(0, each)}…` : text,
  }));
}

function textOfContent(message: Loose): string {
  const content = objectOf(message["content"]);
  if (content === null) return "";
  const parts = listOf(content["parts"]).flatMap((part) => {
    if (typeof part === "string") return [part];
    const spoken = isObject(part) && part["content_type"] === "audio_transcription";
    return spoken ? [textOf(part["text"]) ?? ""] : [];
  });
  const thoughts = objectsOf(content["thoughts"]).map(
    ({ summary, content: thought }) => `${textOf(summary) ?? ""}\n${textOf(thought) ?? ""}`,
  );
  const whole = [...parts, ...thoughts, textOf(content["text"]) ?? textOf(content["result"]) ?? ""];
  return whole.filter((part) => part.trim() !== "").join("\n");
}

/** What was uploaded with it, and what it shows; both may name the same file. */
function filesOf(message: Loose): SourceFile[] {
  const uploaded = objectsOf(objectOf(message["metadata"])?.["attachments"]).flatMap((file) => {
    const id = idOf(file["id"]);
    const mediaType = textOf(file["mime_type"]) ?? textOf(file["mimeType"]) ?? "";
    return id === null ? [] : [{ id, name: textOf(file["name"]) ?? id, mediaType }];
  });
  const pointers = objectsOf(objectOf(message["content"])?.["parts"]).flatMap((part) => {
    const pointer = textOf(part["asset_pointer"]);
    const id = pointer === null ? undefined : /^[\w-]+:\/\/([\w-]+)/.exec(pointer)?.[1];
    return id === undefined ? [] : [{ id, name: id, mediaType: "" }];
  });
  const all = [
    ...uploaded,
    ...pointers.filter(({ id }) => !uploaded.some((file) => file.id === id)),
  ];
  return all.map(({ id, name, mediaType }) => ({ name, mediaType, from: { entry: id } }));
}
