/** One piece of a UI message stream. */
export type Chunk = Readonly<Record<string, unknown>> & { readonly type: string };

export interface StoredCall {
  readonly tool_call_id?: string;
  readonly name: string;
  readonly status: string;
  readonly arguments?: unknown;
  readonly result?: unknown;
  readonly agent_id?: string;
}

/** A tool at work, as these clients know of it. */
export interface Call {
  /** Theirs: one chat has no two of it. */
  readonly id: string;
  /** As the agent calls it. */
  readonly of: string;
  readonly name: string;
  /** Another agent than the reply's; null: that one. */
  readonly by: string | null;
  /** Null: not told yet. */
  readonly input: { readonly value: unknown } | null;
  /** The client runs it, or has run it. */
  readonly isClients: boolean;
  /** Absent: it was for nobody to confirm. */
  readonly isApproved?: boolean | null;
  /** Null: at work. */
  readonly end: { readonly isFailed: boolean; readonly result: unknown } | "denied" | null;
}

/** Agents count their calls anew in each reply, clients look for one in a whole chat. */
export function callIdOf(messageId: string, of: string, earlier: number): string {
  return `${messageId}_${of}${earlier > 0 ? `_${earlier + 1}` : ""}`;
}

export function approvalIdOf(messageId: string, requirementId: string): string {
  return `${messageId}_${requirementId}`;
}

export function inputChunk({ id, name, by, input, isClients }: Call): Chunk {
  const about = {
    toolCallId: id,
    toolName: name,
    dynamic: true,
    // What the service runs is nothing for the client to run.
    providerExecuted: !isClients,
    ...(by !== null && { toolMetadata: { agent_id: by } }),
  };
  if (input === null) return { type: "tool-input-start", ...about };
  return { type: "tool-input-available", ...about, input: input.value };
}

export function outputChunk({ id, isClients, end }: Call): Chunk {
  if (end === null || end === "denied") return { type: "tool-output-denied", toolCallId: id };
  const about = { toolCallId: id, dynamic: true, providerExecuted: !isClients };
  const { isFailed, result = null } = end;
  if (!isFailed) return { type: "tool-output-available", ...about, output: result };
  return { type: "tool-output-error", ...about, errorText: textOf(result) };
}

function textOf(result: unknown): string {
  if (typeof result === "string") return result;
  return result === null ? "" : JSON.stringify(result);
}
