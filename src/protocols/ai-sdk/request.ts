import type { Static } from "typebox";
import type { Decision, Requirement } from "../../agents/agent-backend.ts";
import { maxAttachments, readAttachments } from "../../attachments/read-attachments.ts";
import {
  fingerprint,
  impliedKey,
  type IdempotencyKey,
} from "../../idempotency/idempotency-store.ts";
import { isId } from "../../lib/ids.ts";
import { Problem } from "../../problems/problem.ts";
import type { EarlierMessage, ExternalId } from "../../replies/lifecycle/acceptance.ts";
import { checkName, isName } from "../conversation-name.ts";
import { faulty } from "../faulty.ts";
import { checkSaid, type Said } from "../said.ts";
import type { AnsweredPart } from "./chat-state.ts";
import type { chatBody } from "./schemas.ts";
import { approvalIdOf } from "./tool-parts.ts";

export type ChatBody = Static<typeof chatBody>;
type Part = Readonly<Record<string, unknown>>;

/** What a client wants: something said, another reply, or that a paused reply goes on. */
export type ChatRequest = ChatTurn | ChatAnswers;

export interface ChatTurn {
  readonly kind: "turn";
  readonly said: Said;
  /** The client's own id of it; null: it has none that can be kept. */
  readonly messageId: string | null;
  /** Another reply to what is there, rather than something new. */
  readonly isAgain: boolean;
  /** What is to be made anew, where the client says so. */
  readonly instead: string | null;
  readonly earlier: readonly EarlierMessage[];
  /** Of what was said before, the newest first. */
  readonly earlierIds: readonly string[];
  /** Of the system; for this turn alone. */
  readonly instructions: string;
  readonly key: IdempotencyKey;
}

export interface ChatAnswers {
  readonly kind: "answers";
  /** Of the reply. */
  readonly messageId: string;
  readonly answers: readonly Answer[];
  readonly key: IdempotencyKey;
}

interface Answer extends AnsweredPart {
  readonly decision: Omit<Decision, "id">;
}

/** Of a chat, as its user calls it. Raises `bad_request`. */
export function chatName(id: string, path = "/id"): ExternalId {
  checkName(id, path);
  return { namespace: "ai-sdk", id };
}

/** Raises `bad_request` and `unsupported_parameter`, and what files are refused for. */
export function readChat(
  body: ChatBody,
  agentId: string,
  limits: { readonly maxMessageLength: number; readonly maxUploadBytes: number },
): ChatRequest {
  const { messages, trigger, messageId } = body;
  const isAgain = trigger === "regenerate-message";
  const answering = isAgain ? undefined : answeringMessage(body);
  if (answering !== undefined) return readAnswers(body, answering);
  const index = messages.length - 1;
  const last = messages[index];
  if (last?.role !== "user") {
    throw faulty(
      "/messages",
      "must end with a message of the user, or with one of the assistant that answers what its reply waits for",
      "必须以用户消息结尾，或以回答了其待办事项的助手消息结尾",
    );
  }
  const path = `/messages/${index}/parts`;
  const said = readParts(last.parts, path, limits.maxUploadBytes);
  // What is asked again has said what it says.
  if (!isAgain || said.keepsFiles !== true) checkSaid(said, path, limits.maxMessageLength);
  const ownId = isName(last.id) ? last.id : null;
  const before = messages.slice(0, -1);
  return {
    kind: "turn",
    said,
    messageId: ownId,
    isAgain,
    instead: isAgain && isName(messageId) ? messageId : null,
    earlier: before.flatMap(({ role, parts }): EarlierMessage[] => {
      const text = textOf(parts);
      return (role === "user" || role === "assistant") && text.trim() !== ""
        ? [{ role, text }]
        : [];
    }),
    earlierIds: before
      .flatMap(({ id, role }) => (role !== "system" && isName(id) ? [id] : []))
      .slice(-maxKnown)
      .toReversed(),
    instructions: instructionsOf(before),
    key: keyOf(body, agentId, { id: ownId, parts: last.parts }),
  };
}

/** So far back a message is looked for by its id. */
const maxKnown = 50;
const maxInstructions = 20_000;

/** A new message is known by its id: the same again is the same. What is edited or made anew may be meant again. */
function keyOf(
  { id, messageId, trigger }: ChatBody,
  agentId: string,
  last: { readonly id: string | null; readonly parts: unknown },
): IdempotencyKey {
  const print = fingerprint("a turn of the AI SDK", { agentId, id, messageId, trigger, last });
  const isNew = trigger !== "regenerate-message" && last.id !== null && messageId !== last.id;
  return isNew ? { key: ` chat ${print}`, fingerprint: print } : impliedKey(print, false);
}

type Message = ChatBody["messages"][number];

/** The message of the assistant in which something is answered: the one that is named, or the last. */
function answeringMessage({ messages, messageId }: ChatBody): Message | undefined {
  const last = messages.at(-1);
  const named = messages.findLast(({ id }) => id === messageId);
  if (last?.role !== "user") {
    const message = named?.role === "assistant" ? named : last;
    return message !== undefined && answersIn(message).length > 0 ? message : undefined;
  }
  return named?.role === "assistant" && answersIn(named).length > 0 ? named : undefined;
}

function readAnswers(body: ChatBody, message: Message): ChatAnswers {
  const { id } = message;
  if (typeof id !== "string" || !isId(id)) {
    throw faulty(
      "/messages",
      "answer a message that is none from here",
      "回答的消息不是来自此处的回复",
    );
  }
  const messageId = id.toLowerCase();
  const answers = answersIn({ ...message, id: messageId });
  const print = fingerprint("answers of the AI SDK", { id: body.id, messageId, answers });
  const key = { key: ` chat ${print}`, fingerprint: print };
  return { kind: "answers", messageId, answers, key };
}

/** What of a message's tools a person, or the client itself, has given. */
function answersIn({ id, parts }: Message): Answer[] {
  if (!Array.isArray(parts)) return [];
  return parts.flatMap((given: unknown): Answer[] => {
    const part = (given ?? {}) as Part;
    const { toolCallId, state, providerExecuted } = part;
    if (typeof toolCallId !== "string" || !toolCallId.startsWith(`${String(id)}_`)) return [];
    if (state === "approval-responded") {
      const { approved, reason } = (part["approval"] ?? {}) as Part;
      const isApproved = approved === true;
      const note = typeof reason === "string" && reason !== "" ? { note: reason } : {};
      return [{ toolCallId, isApproved, decision: { approved: isApproved, ...note } }];
    }
    if (providerExecuted === true) return [];
    if (state === "output-available") {
      const result = part["output"] ?? null;
      return [{ toolCallId, isApproved: null, decision: { approved: true, result } }];
    }
    if (state === "output-error") {
      const note = part["errorText"];
      return [
        {
          toolCallId,
          isApproved: null,
          decision: { approved: false, ...(typeof note === "string" && note !== "" && { note }) },
        },
      ];
    }
    return [];
  });
}

/** What of it is still asked; what was asked and answered before is in the message, too. */
export function decisionsOf(
  { messageId, answers }: ChatAnswers,
  requirements: readonly Pick<Requirement, "id">[],
): Decision[] {
  return requirements.flatMap(({ id }): Decision[] => {
    const name = approvalIdOf(messageId, id);
    const answer = answers.findLast(
      ({ toolCallId }) =>
        toolCallId === name ||
        (toolCallId.startsWith(`${name}_`) && /^\d+$/.test(toolCallId.slice(name.length + 1))),
    );
    return answer === undefined ? [] : [{ id, ...answer.decision }];
  });
}

function instructionsOf(messages: readonly Message[]): string {
  const text = messages
    .filter(({ role }) => role === "system")
    .map(({ parts }) => textOf(parts))
    .filter((each) => each.trim() !== "")
    .join("\n\n");
  if (text.length <= maxInstructions) return text;
  throw faulty(
    "/messages",
    `may have at most ${maxInstructions} characters of the system`,
    `系统消息最多 ${maxInstructions} 个字符`,
  );
}

/** Of a message that is not new: files were seen then. */
function textOf(parts: unknown): string {
  if (!Array.isArray(parts)) return "";
  return parts
    .flatMap((given: unknown) => {
      const { type, text } = (given ?? {}) as Part;
      return type === "text" && typeof text === "string" ? [text] : [];
    })
    .join("");
}

interface GivenFile {
  readonly name: string;
  readonly media_type: string;
  readonly data: string;
}

function readParts(parts: unknown, path: string, maxUploadBytes: number): Said {
  if (!Array.isArray(parts)) throw unreadable(path);
  const texts: string[] = [];
  const files: GivenFile[] = [];
  const isKept = parts.some(isOurFile);
  for (const [index, given] of parts.entries()) {
    const part = (given ?? {}) as Part;
    const { type, text } = part;
    if (type === "text" && typeof text === "string") texts.push(text);
    else if (isKept && isOurFile(part)) continue;
    else if (type === "file") files.push(fileOf(part, `${path}/${index}`));
    // What a client's own parts say is for itself.
    else if (typeof type !== "string" || !type.startsWith("data-")) {
      throw unreadable(`${path}/${index}`);
    }
  }
  if (files.length > maxAttachments) {
    throw new Problem("bad_request", {
      en: `A message may have ${maxAttachments} files.`,
      zh: `每条消息最多可带 ${maxAttachments} 个文件。`,
    });
  }
  const text = texts.join("\n");
  if (!isKept) return { text, files: readAttachments(files, maxUploadBytes) };
  if (files.length === 0) return { text, files: [], keepsFiles: true };
  throw notOurs(path);
}

/** Of a message that was opened again: its files are here. */
function isOurFile(given: unknown): boolean {
  const { type, url } = (given ?? {}) as Part;
  return type === "file" && typeof url === "string" && ourFile.test(url);
}

const ourFile = /^[^?#]*\/chat\/attachments\/[0-9a-f-]{36}$/;

/** Raised where there is no message whose files could be meant. */
export function notOurs(path: string): Problem {
  return new Problem("unsupported_parameter", {
    parameter: path.slice(1).replaceAll("/", "."),
    en: "files of a message that is edited stay as they are, or all come as data URLs",
    zh: "编辑消息时，其文件要么保持不变，要么全部以 data URL 重新发送",
  });
}

const dataUrl = /^data:([\w.+-]+\/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,/;

/** Nothing is fetched for a caller: what he can reach from here is not what he can reach from there. */
function fileOf({ url, mediaType, filename }: Part, path: string): GivenFile {
  if (typeof url !== "string") throw unreadable(path);
  const found = dataUrl.exec(url);
  if (found === null) {
    throw new Problem("unsupported_parameter", {
      parameter: path.slice(1).replaceAll("/", "."),
      en: "files come as data URLs (data:image/png;base64,…), and are not fetched from elsewhere",
      zh: "文件须以 data URL 形式发送（data:image/png;base64,…），不会从其他地址下载",
    });
  }
  const kind = typeof mediaType === "string" && /^[\w.+-]+\/[\w.+-]+$/.test(mediaType);
  return {
    name: typeof filename === "string" && filename !== "" ? filename.slice(0, 255) : "file",
    media_type: kind ? mediaType.slice(0, 255) : (found[1] ?? "").slice(0, 255),
    data: url.slice(found[0].length),
  };
}

function unreadable(path: string): Problem {
  return faulty(path, "must be parts of type text or file", "必须是类型为 text 或 file 的内容片段");
}
