import { createHash } from "node:crypto";
import { Role, type Message, type Part } from "@a2a-js/sdk";
import { maxAttachments, takeAttachments } from "../../attachments/read-attachments.ts";
import { fingerprint, type IdempotencyKey } from "../../idempotency/idempotency-store.ts";
import { Problem } from "../../problems/problem.ts";
import type { ExternalId } from "../../replies/lifecycle/acceptance.ts";
import { checkName } from "../conversation-name.ts";
import { faulty } from "../faulty.ts";
import type { Said } from "../said.ts";

/** Of what clients call a conversation. */
export const contextNamespace = "a2a";

/** Some say with the message for whom they ask. */
export function namesIn(body: unknown): readonly (readonly [string, unknown])[] {
  const { params } = (body ?? {}) as { params?: { message?: { metadata?: { userId?: unknown } } } };
  return [["params/message/metadata/userId", params?.message?.metadata?.userId]];
}

/** What a client says. */
export interface SaidMessage {
  readonly messageId: string;
  readonly said: Said;
  /** What was given as values, beside what is said. */
  readonly values: readonly unknown[];
  /** Where it belongs; null: nowhere yet. */
  readonly conversation: ExternalId | null;
  /** The task that it is about; null: a new one. */
  readonly taskId: string | null;
}

const where = "/params/message";

/** Raises `bad_request` and `unsupported_parameter`, and what files are refused for. */
export function readMessage(
  message: Message | undefined,
  { maxUploadBytes }: { readonly maxUploadBytes: number },
): SaidMessage {
  if (message === undefined) throw faulty(where, "is required", "必填");
  const { messageId, contextId, taskId, role, parts } = message;
  checkName(messageId, `${where}/messageId`);
  if (contextId !== "") checkName(contextId, `${where}/contextId`);
  if (role !== Role.ROLE_USER) {
    throw faulty(`${where}/role`, "must be that of the user", "必须是用户角色");
  }
  const texts: string[] = [];
  const values: unknown[] = [];
  const files: { name: string; mediaType: string; bytes: Buffer }[] = [];
  for (const [index, part] of parts.entries()) {
    const { content } = part;
    switch (content?.$case) {
      case "text":
        texts.push(textOf(content.value, index));
        break;
      case "data":
        values.push(content.value);
        break;
      case "raw":
        files.push(fileOf(part, content.value));
        break;
      case "url":
        throw new Problem("unsupported_parameter", {
          parameter: `message.parts.${index}.url`,
          en: "files come as raw with their bytes, and are not fetched from elsewhere",
          zh: "文件须以 raw 字段直接发送，不会从其他地址下载",
        });
      default:
        throw faulty(
          `${where}/parts/${index}`,
          "must be a text, data, or a file with its bytes",
          "必须是文本、数据或带有内容的文件",
        );
    }
  }
  if (files.length > maxAttachments) {
    throw new Problem("bad_request", {
      en: `A message may have ${maxAttachments} files.`,
      zh: `每条消息最多可带 ${maxAttachments} 个文件。`,
    });
  }
  return {
    messageId,
    said: {
      text: texts.join("\n"),
      files: takeAttachments(files, `${where}/parts`, maxUploadBytes),
    },
    values,
    conversation: contextId === "" ? null : { namespace: contextNamespace, id: contextId },
    taskId: taskId === "" ? null : taskId,
  };
}

function textOf(value: unknown, index: number): string {
  if (typeof value === "string") return value;
  throw faulty(`${where}/parts/${index}/text`, "must be a text", "必须是文本");
}

function fileOf({ filename, mediaType }: Part, bytes: Buffer) {
  return {
    name: filename === "" ? "file" : filename.slice(0, 255),
    mediaType: /^[\w.+-]+\/[\w.+-]+/.test(mediaType) ? mediaType.slice(0, 255) : "",
    bytes,
  };
}

/** What is said to an agent: values are for it to read as well. */
export function spoken({ said, values }: SaidMessage): Said {
  const texts = values.map((value) => JSON.stringify(value, null, 2) ?? "null");
  return { ...said, text: [said.text, ...texts].filter((text) => text !== "").join("\n") };
}

/** A message is known by the id that its client gave it. No key that a caller can send begins with a space. */
export function keyOf(message: SaidMessage, agentId: string | undefined): IdempotencyKey {
  const { messageId, said, values, conversation, taskId } = message;
  const files = said.files.map(({ name, bytes }) => [
    name,
    createHash("sha256").update(bytes).digest("hex"),
  ]);
  const { text } = said;
  const print = { agentId, text, values, files, context: conversation?.id ?? null, taskId };
  return { key: ` a2a ${messageId}`, fingerprint: fingerprint("a message of A2A", print) };
}
