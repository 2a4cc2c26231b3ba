import type { ToolDefinition } from "./chat-protocol.ts";

/** Something that agents can do besides talking. */
export interface Tool {
  readonly definition: ToolDefinition;
  /** A person must allow each call, because it may have effects. Absent: it has none, or they are nobody's concern. */
  readonly needsApproval?: boolean;
  /**
   * Raises a `ToolFault` for arguments that it cannot work with, and where it could not do what it should; the signal's
   * reason when that aborts; nothing else.
   */
  run(args: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<ToolOutput>;
}

export interface ToolOutput {
  /** For the model; bounded. */
  readonly text: string;
  /** For the user. */
  readonly media?: readonly ToolMedia[];
}

export interface ToolMedia {
  readonly kind: "image" | "audio";
  /** A `data:` URL. */
  readonly url: string;
}

/** What was wrong with a call, told to the model so that it can do better. */
export class ToolFault extends Error {
  override readonly name = "ToolFault";
}
