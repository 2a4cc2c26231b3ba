import type { Extras } from "../../replies/extras.ts";

/** What an import can read. */
export type SourceName = "chat-service" | "chatgpt" | "librechat" | "open-webui";

/** A conversation of another service, or of this one, as it is to be stored. */
export interface SourceConversation {
  readonly source: SourceName;
  /** By which it is known again at the next import. */
  readonly id: string;
  readonly title: string | null;
  readonly status: "active" | "archived";
  readonly pinned: boolean;
  readonly tags: readonly string[];
  /** Null: the default one; also where this service has no such agent. */
  readonly agentId: string | null;
  readonly createdAt: Date | null;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** In any order. */
  readonly messages: readonly SourceMessage[];
  /** The last message of the active path; null: the one that comes last. */
  readonly headId: string | null;
}

export interface SourceMessage {
  readonly id: string;
  readonly parentId: string | null;
  readonly role: "user" | "assistant" | "system";
  readonly status: "complete" | "cancelled" | "interrupted" | "failed";
  /** As `text` resolves it. */
  readonly content: string;
  readonly createdAt: Date | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly reasoning: string | null;
  readonly files: readonly SourceFile[];
  /** What only our own export knows. */
  readonly own?: OwnParts;
}

export interface OwnParts {
  readonly agentId: string | null;
  readonly usage: object | null;
  readonly finishReason: string | null;
  readonly error: object | null;
  readonly toolCalls: readonly object[] | null;
  readonly media: readonly object[] | null;
  readonly extras: Extras | null;
  readonly unspoken: string | null;
  readonly context: object | null;
  readonly outputFormat: string | null;
  readonly feedback: {
    readonly rating: "up" | "down";
    readonly tags: readonly string[];
    readonly comment: string | null;
    readonly timestamp: string;
  } | null;
}

export interface SourceFile {
  readonly name: string;
  readonly mediaType: string;
  /** Inline, as Base64 that may stand in for a longer text; else the beginning of the name that it has in an archive. */
  readonly from: { readonly data: string } | { readonly entry: string };
}

/** Why a conversation cannot be imported, for whoever chose the file. */
export class ImportFault extends Error {
  override readonly name = "ImportFault";
  readonly zh: string;

  constructor(en: string, zh: string, options?: ErrorOptions) {
    super(en, options);
    this.zh = zh;
  }
}
