import type { Attachment } from "../agents/agent-backend.ts";
import type { UserMessage } from "../replies/lifecycle/acceptance.ts";
import { faulty } from "./faulty.ts";

/** What a user says in a request of a protocol, and the files that come with it. */
export interface Said {
  readonly text: string;
  readonly files: readonly Attachment[];
  /** They are those of the message that it stands beside. */
  readonly keepsFiles?: boolean;
}

/** Raises `bad_request` for what says nothing or too much; `path` is where the body has it. */
export function checkSaid({ text, files }: Said, path: string, maxMessageLength: number): void {
  if (text.trim() === "" && files.length === 0) {
    throw faulty(path, "must say something", "不能为空");
  }
  if (text.length > maxMessageLength) {
    throw faulty(
      path,
      `may have at most ${maxMessageLength} characters`,
      `最多 ${maxMessageLength} 个字符`,
    );
  }
}

/** As it is stored. What is only files is called by their names. */
export function userMessage(
  { text, files, keepsFiles = false }: Said,
  metadata: Readonly<Record<string, unknown>> = {},
): UserMessage {
  return {
    text: text.trim() === "" ? files.map(({ name }) => name).join(", ") : text,
    type: "text",
    metadata,
    audio: null,
    attachments: keepsFiles ? null : files,
  };
}
