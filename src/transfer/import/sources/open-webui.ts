import type { SourceConversation, SourceFile, SourceMessage } from "../conversation.ts";
import { isAside } from "../long-texts.ts";
import { idOf, listOf, momentOf, objectOf, objectsOf, tagsOf, textOf } from "../shapes.ts";

type Loose = Readonly<Record<string, unknown>>;

/** A chat of Open WebUI's export; null for anything else. */
export function readOpenWebUi(value: Loose): SourceConversation | null {
  const chat = objectOf(value["chat"]);
  const history = objectOf(chat?.["history"]);
  const byId = objectOf(history?.["messages"]);
  if (chat === null || byId === null) return null;
  const messages = objectsOf(Object.values(byId)).map(messageOf);
  return {
    source: "open-webui",
    id: idOf(value["id"]) ?? idOf(chat["id"]) ?? "",
    title: textOf(value["title"]) ?? textOf(chat["title"]),
    status: value["archived"] === true ? "archived" : "active",
    pinned: value["pinned"] === true,
    tags: tagsOf(listOf(objectOf(value["meta"])?.["tags"] ?? chat["tags"])),
    agentId: null,
    createdAt: momentOf(value["created_at"]) ?? momentOf(chat["timestamp"]),
    config: {},
    metadata: {},
    messages,
    headId: idOf(history?.["currentId"]),
  };
}

/** Thoughts of the model stand in its answer as a fold. */
const fold =
  /<details[^>]*type="reasoning"[^>]*>\s*(?:<summary>[^<]*<\/summary>)?([^]*?)<\/details>\s*/;

function messageOf(message: Loose): SourceMessage {
  const role = textOf(message["role"]);
  const said = textOf(message["content"]) ?? "";
  const thoughts = role === "assistant" ? fold.exec(said) : null;
  const model = textOf(message["model"]);
  return {
    id: idOf(message["id"]) ?? "",
    parentId: idOf(message["parentId"]),
    role: role === "user" || role === "system" ? role : "assistant",
    status: message["done"] === false ? "interrupted" : message["error"] ? "failed" : "complete",
    content: thoughts === null ? said : said.replace(thoughts[0], ""),
    createdAt: momentOf(message["timestamp"]),
    metadata: { ...(role === "assistant" && model !== null && { model }) },
    reasoning: thoughts?.[1]?.replaceAll(/^> ?/gm, "").trim() || null,
    files: objectsOf(message["files"]).flatMap(fileOf),
  };
}

/** Pictures stand in the file as data URLs; documents do not. What they are is told by their bytes. */
function fileOf(file: Loose): SourceFile[] {
  const url = textOf(file["url"]) ?? "";
  if (!url.startsWith("data:") && !isAside(url)) return [];
  return [{ name: textOf(file["name"]) ?? "image", mediaType: "", from: { data: url } }];
}
