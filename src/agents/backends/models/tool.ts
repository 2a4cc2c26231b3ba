import type { ToolDefinition } from "./chat-protocol.ts";

/** Something that agents can do besides talking. It has no effects. */
export interface Tool {
  readonly definition: ToolDefinition;
  /** Raises a `ToolFault` for arguments that it cannot work with. */
  run(args: Readonly<Record<string, unknown>>): Promise<string>;
}

/** What was wrong with a call, told to the model so that it can do better. */
export class ToolFault extends Error {
  override readonly name = "ToolFault";
}
