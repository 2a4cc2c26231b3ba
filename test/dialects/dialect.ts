/** What a server answers instead of a completion. */
export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, a text as a stream of events. */
  readonly body: unknown;
}

/**
 * How one server speaks the chat completions protocol, or the Responses API: what it is known to send, as its documentation, its source or
 * those who have recorded it show. Nothing here is about this service; `dialects.test.ts` says what must come of it.
 *
 * Every stream says the same, so that one table of expectations holds for all.
 */
export interface Dialect {
  readonly name: string;
  /** Default: completions. */
  readonly api?: "completions" | "responses";
  /** Where the shapes stand. */
  readonly sources: readonly string[];
  /** What `/chat/completions` and `/models` come below. */
  readonly basePath: string;
  /** Whether it answers without a key. */
  readonly needsKey: boolean;
  readonly models: {
    readonly answer: unknown;
    /** Those that can hold a conversation, in its order. */
    readonly ids: readonly string[];
  };
  /** Whether its models think aloud in this protocol. */
  readonly thinks: boolean;
  /** Thinks `thought` (where it does), says `words`, and reports `usage`. */
  readonly said: string;
  /** Calls `current_time` with `{"time_zone":"Asia/Tokyo"}`; thinks before, where it does. */
  readonly called: string;
  /** Members of the assistant's message and its call that it wants back with the result. */
  readonly wantsBack?: {
    readonly message?: Readonly<Record<string, unknown>>;
    readonly call?: Readonly<Record<string, unknown>>;
    /** Of the Responses API: what comes before the result. */
    readonly items?: readonly Readonly<Record<string, unknown>>[];
  };
  readonly refusals: {
    /** Null: there are no keys. */
    readonly badKey: Refusal | null;
    /** Null: it answers with the model that it has. */
    readonly unknownModel: Refusal | null;
    readonly tooLong: Refusal;
    readonly overloaded: Refusal;
  };
}

export const thought = "Let me think.";
export const words = "Grüße, 世界!";
export const usage = { inputTokens: 12, outputTokens: 34 } as const;
export const callArguments = { time_zone: "Asia/Tokyo" } as const;

/** Pieces of texts as models send them. */
export const thoughtPieces = ["Let me", " think."] as const;
export const wordPieces = ["Grüße", ", 世", "界!"] as const;
export const argumentPieces = ['{"time_', 'zone":"Asia', '/Tokyo"}'] as const;

/** One event for each value; a text is sent as it is. */
export function events(...values: readonly unknown[]): string {
  return values
    .map((value) =>
      typeof value === "string" ? `${value}\n\n` : `data: ${JSON.stringify(value)}\n\n`,
    )
    .join("");
}

export const done = "data: [DONE]";
