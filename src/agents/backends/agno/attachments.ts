import type { Attachment } from "../../agent-backend.ts";
import { Problem } from "../../../problems/problem.ts";
import type { Component } from "./components.ts";

/** Written in other ways by browsers than AgentOS knows them. */
const aliases: Readonly<Record<string, string>> = {
  "audio/x-wav": "audio/wav",
  "audio/vnd.wave": "audio/wav",
  "audio/x-m4a": "audio/m4a",
  "audio/x-flac": "audio/flac",
  "image/pjpeg": "image/jpeg",
};

/** Text under another label: AgentOS takes only some text types, and models read them all the same. */
const plainText = new Set([
  "application/yaml",
  "application/x-yaml",
  "application/toml",
  "application/xml",
  "application/sql",
  "application/x-sh",
  "application/typescript",
  "application/x-typescript",
  "application/x-ndjson",
]);

const textTypes = new Set([
  "text/plain",
  "text/html",
  "text/css",
  "text/markdown",
  "text/csv",
  "text/xml",
  "text/rtf",
  "text/javascript",
  "text/x-python",
]);

/**
 * The type as AgentOS matches it: exactly, so without parameters. Types that it may or may not take (they differ by
 * version) are sent as they are; it refuses the run then.
 */
export function uploadType(mediaType: string): string {
  const type = (mediaType.split(";", 1)[0] ?? "").trim().toLowerCase();
  const known = aliases[type] ?? type;
  if (plainText.has(known)) return "text/plain";
  if (known.startsWith("text/") && !textTypes.has(known)) return "text/plain";
  return known === "" ? "application/octet-stream" : known;
}

/** Raises `validation_failed` for what AgentOS could only fail on. */
export function toFiles(component: Component, attachments: readonly Attachment[]): readonly File[] {
  if (attachments.length > 0 && component.kind === "workflow") {
    throw new Problem("validation_failed", {
      en: "Workflows take no attachments. Send the text alone, or choose an agent.",
      zh: "工作流不支持附件。请仅发送文本，或选择一个智能体。",
    });
  }
  return attachments.map((attachment) => {
    if (attachment.bytes.length === 0) {
      throw new Problem("validation_failed", {
        en: `The attachment ${attachment.name} is empty.`,
        zh: `附件 ${attachment.name} 为空。`,
      });
    }
    // A copy, so that the part owns plain memory whatever the bytes are a view of.
    return new File([new Uint8Array(attachment.bytes)], attachment.name, {
      type: uploadType(attachment.mediaType),
    });
  });
}
