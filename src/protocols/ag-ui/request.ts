import type { Static } from "typebox";
import { maxAttachments, readAttachments } from "../../attachments/read-attachments.ts";
import { fingerprint, type IdempotencyKey } from "../../idempotency/idempotency-store.ts";
import { Problem } from "../../problems/problem.ts";
import type { EarlierMessage, ExternalId } from "../../replies/lifecycle/acceptance.ts";
import { checkName, isName } from "../conversation-name.ts";
import { faulty } from "../faulty.ts";
import { checkSaid, type Said } from "../said.ts";
import type { Message } from "./run/messages.ts";
import type { runInput } from "./schemas.ts";

export type RunInput = Static<typeof runInput>;
type Part = Readonly<Record<string, unknown>>;

/** What is said in a run. */
export interface RunTurn {
  readonly said: Said;
  readonly earlier: readonly EarlierMessage[];
  /** Of the client's own; null: it has none that can be kept. */
  readonly messageId: string | null;
  /** An answer stands behind it already. */
  readonly isAnswered: boolean;
  readonly instructions: string;
}

/** Of a thread, as its user calls it. Raises `bad_request`. */
export function threadName(threadId: string, path = "/threadId"): ExternalId {
  checkName(threadId, path);
  return { namespace: "ag-ui", id: threadId };
}

/** Those before 1.0 say no version. */
export function isOfOldClient({ protocolVersion }: Pick<RunInput, "protocolVersion">): boolean {
  return (
    protocolVersion === undefined || protocolVersion === null || protocolVersion.startsWith("0")
  );
}

/** A run is known by its id: the same again is the same. No key that a caller can send begins with a space. */
export function runKeyOf(runId: string): string {
  return ` run ${runId}`;
}

/** Raises `bad_request`. */
export function keyOf(
  { runId, threadId, messages, resume }: RunInput,
  agentId: string,
): IdempotencyKey {
  checkName(runId, "/runId");
  const asked = isGiven(resume)
    ? { resume }
    : {
        content: (messages.findLast(({ role }) => role === "user") as Part | undefined)?.[
          "content"
        ],
      };
  const operation = "a run of AG-UI";
  return {
    key: runKeyOf(runId),
    fingerprint: fingerprint(operation, { agentId, threadId, ...asked }),
  };
}

/** Answers to interrupts are what the run is about. */
export function isGiven(resume: unknown): boolean {
  return resume !== undefined && resume !== null && !(Array.isArray(resume) && resume.length === 0);
}

/** Raises `unsupported_parameter`. */
export function refuseTools({ tools }: RunInput): void {
  if (tools === undefined || tools === null || (Array.isArray(tools) && tools.length === 0)) return;
  throw new Problem("unsupported_parameter", {
    parameter: "tools",
    en: "agents use the tools that they have here",
    zh: "智能体只使用其在此处配置的工具",
  });
}

/** Raises `bad_request` and `unsupported_parameter`, and what files are refused for. */
export function readTurn(
  input: RunInput,
  limits: { readonly maxMessageLength: number; readonly maxUploadBytes: number },
): RunTurn {
  const { messages } = input;
  const index = messages.findLastIndex(({ role }) => role === "user");
  const last = messages[index];
  if (last === undefined) {
    throw faulty("/messages", "must hold a message of the user", "必须包含用户消息");
  }
  const path = `/messages/${index}/content`;
  const said = readContent((last as Part)["content"], path, limits.maxUploadBytes);
  checkSaid(said, path, limits.maxMessageLength);
  return {
    said,
    earlier: earlierOf(messages.slice(0, index)),
    messageId: isName(last.id) ? last.id : null,
    isAnswered: messages
      .slice(index + 1)
      .some(({ role }) => role === "assistant" || role === "tool"),
    instructions: instructionsOf(input),
  };
}

/** Of a reply with tools these clients have a message for each piece of its text; stored it is one. */
function earlierOf(messages: RunInput["messages"]): EarlierMessage[] {
  const earlier: EarlierMessage[] = [];
  for (const message of messages) {
    const { role } = message;
    if (role !== "user" && role !== "assistant") continue;
    const text = textOf((message as Part)["content"]);
    const before = earlier.at(-1);
    if (role === "assistant" && before?.role === "assistant") {
      earlier[earlier.length - 1] = { role, text: before.text + text };
    } else earlier.push({ role, text });
  }
  return earlier.filter(({ text }) => text.trim() !== "");
}

const maxInstructions = 20_000;

/** Raises `bad_request`. */
function instructionsOf({ messages, context, state }: RunInput): string {
  const texts = messages
    .filter(({ role }) => role === "system" || role === "developer")
    .map((message) => textOf((message as Part)["content"]));
  if (context !== undefined && context !== null && !Array.isArray(context)) {
    throw faulty("/context", "must be a list of entries", "必须是条目列表");
  }
  for (const [index, given] of (context ?? []).entries()) {
    const { description, value } = (given ?? {}) as Part;
    if (typeof description !== "string" || typeof value !== "string") {
      throw faulty(
        `/context/${index}`,
        "needs description and value, both texts",
        "需要文本类型的 description 与 value",
      );
    }
    texts.push(`${description}:\n${value}`);
  }
  if (holdsSomething(state)) texts.push(`State of the application:\n${JSON.stringify(state)}`);
  const text = texts.filter((each) => each.trim() !== "").join("\n\n");
  if (text.length <= maxInstructions) return text;
  throw faulty(
    "/context",
    `may have at most ${maxInstructions} characters, together with the state and messages of the system`,
    `连同 state 与系统消息最多 ${maxInstructions} 个字符`,
  );
}

function holdsSomething(state: unknown): boolean {
  if (state === undefined || state === null || state === "") return false;
  return typeof state !== "object" || Object.keys(state).length > 0;
}

/** What the client has, for when its text has to be put right; null: too much to be kept, or not known by ids. */
export function heldBy(
  { messages }: RunInput,
  contentLength: string | undefined,
): readonly Message[] | null {
  const isSmall = Number(contentLength ?? Number.POSITIVE_INFINITY) <= maxHeldBytes;
  const isKnown = messages.every(({ id }) => typeof id === "string" && id !== "");
  return isSmall && isKnown ? (messages as unknown as Message[]) : null;
}

const maxHeldBytes = 1024 * 1024;

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .flatMap((part: unknown) => {
      const { type, text } = (part ?? {}) as Part;
      return type === "text" && typeof text === "string" ? [text] : [];
    })
    .join("\n");
}

interface GivenFile {
  readonly name: string;
  readonly media_type: string;
  readonly data: string;
}

function readContent(content: unknown, path: string, maxUploadBytes: number): Said {
  if (typeof content === "string") return { text: content, files: [] };
  if (!Array.isArray(content)) throw unreadable(path);
  const files: GivenFile[] = [];
  const paths: string[] = [];
  for (const [index, part] of content.entries()) {
    const { type, text } = (part ?? {}) as Part;
    if (type === "text" && typeof text === "string") continue;
    files.push(fileOf((part ?? {}) as Part, `${path}/${index}`));
    paths.push(`${path}/${index}`);
  }
  if (files.length > maxAttachments) {
    throw new Problem("bad_request", {
      en: `A message may have ${maxAttachments} files.`,
      zh: `每条消息最多可带 ${maxAttachments} 个文件。`,
    });
  }
  return { text: textOf(content), files: readAttachments(files, maxUploadBytes, paths) };
}

const partTypes: ReadonlySet<unknown> = new Set(["image", "audio", "video", "document"]);
const mediaType = /^[\w.+-]+\/[\w.+-]+/;

/** Of 1.0 with a source, of 0.0.x `binary`. Nothing is fetched for a caller. */
function fileOf(part: Part, path: string): GivenFile {
  const { type, source, metadata, filename } = part;
  const isOld = type === "binary";
  if (!isOld && !partTypes.has(type)) throw unreadable(path);
  const from = (isOld ? part : (source ?? {})) as Part;
  const value = isOld ? from["data"] : from["type"] === "data" ? from["value"] : undefined;
  const kind = from["mimeType"];
  const isElsewhere = isOld
    ? value === undefined && (from["url"] !== undefined || from["id"] !== undefined)
    : from["type"] === "url" || from["type"] === "file";
  if (isElsewhere) {
    throw new Problem("unsupported_parameter", {
      parameter: path.slice(1).replaceAll("/", "."),
      en: "files come as data with their bytes, and are not fetched from elsewhere",
      zh: "文件须随数据直接发送，不会从其他地址下载",
    });
  }
  if (
    typeof value !== "string" ||
    typeof kind !== "string" ||
    !mediaType.test(kind) ||
    kind.length > 255
  ) {
    throw unreadable(path);
  }
  const named = [filename, (metadata as Part | null | undefined)?.["filename"]].find(
    (name) => typeof name === "string" && name !== "",
  );
  const name = typeof named === "string" ? named.slice(0, 255) : isOld ? "file" : String(type);
  return { name, media_type: kind, data: value };
}

function unreadable(path: string): Problem {
  return faulty(
    path,
    "must be a text, or parts of type text, image, audio, video or document",
    "必须是文本，或类型为 text、image、audio、video、document 的内容片段",
  );
}
