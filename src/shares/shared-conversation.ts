import { createHash } from "node:crypto";
import type { StoredMessage } from "../chat/message-store.ts";
import type { Language } from "../problems/catalogue.ts";
import { markdownToHtml } from "./markdown-page.ts";
import type { Share } from "./share-store.ts";

/** What is said in a conversation: instructions and summaries are between the service and the agent. */
export async function* saidOf(
  messages: AsyncIterable<StoredMessage>,
): AsyncGenerator<StoredMessage> {
  for await (const message of messages) if (message.role !== "system") yield message;
}

/** What those who have the link see of a message: nothing of whose it is, and no more than what was said. */
function sharedMessage(message: StoredMessage, { includeFiles }: Share, filesUrl: string) {
  const { role, content, createdAt, agentId, attachments } = message;
  return {
    role,
    content,
    timestamp: createdAt.toISOString(),
    ...(role === "assistant" && { agent_id: agentId }),
    ...(includeFiles &&
      attachments !== null && {
        attachments: attachments.map(({ attachment_id: id, name, media_type, size }) => ({
          name,
          media_type,
          size,
          url: `${filesUrl}/${id}`,
        })),
      }),
  };
}

/** Piece by piece, as it is read. */
export async function* sharedJson(
  share: Share,
  messages: AsyncIterable<StoredMessage>,
  filesUrl: string,
): AsyncGenerator<string> {
  const head = {
    success: true,
    title: share.title,
    created_at: share.createdAt.toISOString(),
    expires_at: share.expiresAt.toISOString(),
  };
  yield `${JSON.stringify(head).slice(0, -1)},"messages":[`;
  let isFirst = true;
  for await (const message of messages) {
    yield `${isFirst ? "" : ","}${JSON.stringify(sharedMessage(message, share, filesUrl))}`;
    isFirst = false;
  }
  yield "]}";
}

const words = {
  en: {
    untitled: "Shared conversation",
    user: "User",
    until: "This link works until",
    gone: "This link does not work, or no longer",
    why: "Its time is over, it was ended, or what it showed was deleted. Ask whoever shared it for a new one.",
  },
  zh: {
    untitled: "分享的对话",
    user: "用户",
    until: "链接有效期至",
    gone: "此链接无效或已失效",
    why: "已过期、已撤销，或所分享的内容已删除。请向分享者索取新的链接。",
  },
} as const;

const style =
  ":root{color-scheme:light dark;background:Canvas;color:CanvasText;font:16px/1.6 system-ui,sans-serif}" +
  "body{max-width:46rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.4rem}article{margin:1.5rem 0}" +
  "article h2{font-size:.9rem;margin:0;opacity:.8}article p{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0}" +
  ".text{overflow-wrap:anywhere}.text>*{margin-block:.5rem}pre,.text table{display:block;overflow-x:auto}" +
  "a{color:light-dark(#0b57d0,#9ecaff)}" +
  "pre{padding:.6rem;border:1px solid}td,th{border:1px solid;padding:.2rem .5rem}table{border-collapse:collapse}" +
  "blockquote{margin-inline:0;padding-inline-start:.8rem;border-inline-start:2px solid}" +
  ".user{border-inline-start:3px solid;padding-inline-start:.8rem}footer{opacity:.8;font-size:.85rem}";

/** Of the pages below: this style, and nothing else; no script, nothing from elsewhere, in nobody's frame. */
export const sharedPagePolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

function head(language: Language, title: string): string {
  return (
    `<!doctype html><html lang="${language === "zh" ? "zh-CN" : "en"}"><head><meta charset="utf-8">` +
    `<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex,nofollow">` +
    `<title>${title}</title><style>${style}</style></head><body><main><h1 dir="auto">${title}</h1>`
  );
}

/** A page that needs nothing else. What users said stands in it as they wrote it, answers as Markdown. */
export async function* sharedPage(
  share: Share,
  messages: AsyncIterable<StoredMessage>,
  language: Language,
): AsyncGenerator<string> {
  const { untitled, user, until } = words[language];
  yield head(language, escaped(share.title ?? untitled));
  // Beside the page, whatever prefix it is served below.
  const filesUrl = `./${share.shareId}/files`;
  for await (const message of messages) {
    const shared = sharedMessage(message, share, filesUrl);
    const name = message.role === "user" ? user : message.agentId;
    const files = (shared.attachments ?? []).map(
      (file) =>
        `<p dir="auto"><a href="${file.url}" rel="noreferrer">${escaped(file.name)}</a></p>`,
    );
    yield (
      `<article class="${message.role}"><h2>${escaped(name)} · ${time(message.createdAt)}</h2>` +
        `${files.join("")}${drawn(message)}</article>`
    );
  }
  yield `</main><footer><p>${until} ${time(share.expiresAt)}</p></footer></body></html>`;
}

function drawn({ role, content }: StoredMessage): string {
  const html = role === "assistant" ? markdownToHtml(content) : null;
  return html === null
    ? `<p dir="auto">${escaped(content)}</p>`
    : `<div class="text" dir="auto">${html}</div>`;
}

/** What is shown in place of a conversation that is not there, or no longer. */
export function gonePage(language: Language): string {
  const { gone, why } = words[language];
  return `${head(language, gone)}<p>${why}</p></main></body></html>`;
}

function time(date: Date): string {
  const iso = date.toISOString();
  return `<time datetime="${iso}">${iso.slice(0, 16).replace("T", " ")} UTC</time>`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? "");
}
