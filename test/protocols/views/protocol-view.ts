import type { ResponseOptions } from "../../../src/protocols/openai/responses/project.ts";
import type { Projection } from "../../../src/protocols/view.ts";

/** What somebody has who has read a reply, over whatever protocol. */
export interface Outcome {
  readonly text: string;
  readonly reasoning: string;
  /** In their order. A result that a tool has failed with is one too. */
  readonly tools: readonly Tool[];
  readonly usage: { readonly input: number; readonly output: number } | null;
  readonly end: "complete" | "length" | "cancelled" | "failed" | "paused";
  /** What is waited for: the names of tools, and what of them is to be confirmed. */
  readonly waitsFor: readonly { readonly tool: string; readonly isToConfirm: boolean }[];
}

export interface Tool {
  readonly name: string;
  readonly arguments: string;
  readonly result: string;
  readonly isFailed: boolean;
}

/** A reply as it was made once. */
export interface Recorded {
  readonly messageId: string;
  readonly sessionId: string;
  readonly storedCalls: ResponseOptions["storedCalls"];
}

interface Sent {
  readonly event?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A protocol's view of a reply, and what its clients make of it. A further protocol is a further entry. */
export interface ProtocolView {
  readonly name: string;
  /** What is wrong with an event by the protocol's own schemas; empty: nothing. */
  readonly faultsOf: ((sent: Sent) => string) | null;
  /** What the protocol cannot tell, or tells otherwise. */
  readonly differs?: (told: Outcome) => Partial<Outcome>;
  projection(reply: Recorded): Projection<unknown>;
  read(sent: readonly Sent[]): Outcome;
}

/** Of one kind; who uses it knows nothing of its state. */
export function projected<State>(projection: Projection<State>): Projection<unknown> {
  return projection;
}
