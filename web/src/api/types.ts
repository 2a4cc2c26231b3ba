import type * as api from "../../../packages/client/src/index.ts";

export type {
  Agent,
  Decision,
  ReplyEvent,
  Requirement,
  SessionInfo,
  ToolCall,
} from "../../../packages/client/src/index.ts";

type Answer<Name extends keyof api.Operations> = api.Operations[Name]["answer"];
type Element<List> = List extends readonly (infer Item)[] ? Item : never;
type Given<T> = NonNullable<T>;

/** The parent is absent in what only events have told. */
export type Message = Omit<api.Message, "parent_id"> & Partial<Pick<api.Message, "parent_id">>;

export type SessionConfig = Partial<
  Record<"model" | "instructions", string | null> & Record<"temperature", number | null>
> & { readonly [name: string]: unknown };

/** As messages hold it; at least `kind` is there. */
export interface Media {
  readonly kind: string;
  readonly url?: string;
  readonly name?: string;
  /** Given where it is kept as attachments are. */
  readonly attachment_id?: string;
  readonly media_type?: string;
  readonly size?: number;
  /** Why it is lost. */
  readonly left_out?: "no_space" | "not_stored";
}

export type Source = Element<Given<Message["sources"]>>;
export type Task = Element<Given<Message["tasks"]>>;
export type CustomEvent = Element<Given<Message["custom_events"]>>;
export type AttachmentInfo = Omit<Element<Given<Message["attachments"]>>, "url">;
export type Feedback = Given<api.Message["feedback"]>;
export type Rating = Feedback["rating"];
export type OnBusy = Given<api.NewMessage["on_busy"]>;
export type VoiceConfig = Given<api.NewMessage["voice_config"]>;

export type Model = Element<Answer<"GET /chat/models">["models"]>;
export type ServiceConfig = Answer<"GET /health/config">;
export type SearchHit = Element<Answer<"GET /chat/search">["hits"]>;
export type Share = Element<Answer<"GET /sessions/{session_id}/share">["shares"]>;
export type ImportResult = Answer<"POST /import">;
export type MemoryList = Answer<"GET /chat/memories">;
export type KnowledgeList = Answer<"GET /chat/knowledge">;
export type UsageReport = Answer<"GET /usage">;
export type UsageSum = Pick<
  UsageReport["total"],
  "replies" | "input_tokens" | "output_tokens" | "cost"
>;
export type UsageGroup = "day" | "agent" | "model";
export type HealthReport = Answer<"GET /health/detailed">;
export type DependencyReport = HealthReport["dependencies"][string];

/** What administrators see of the whole service. */
export interface Administrated {
  readonly agents: Answer<"GET /chat/agents">;
  readonly usage: UsageReport;
  readonly feedback: Answer<"GET /feedback">;
  readonly keys: Answer<"GET /api-keys">;
  readonly audit: Answer<"GET /audit">;
}

export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
}

type Counts = Readonly<Record<string, number>>;

/** The part of the metrics that the page shows. */
export interface Metrics {
  readonly messages: { readonly total: number; readonly per_minute: number };
  readonly replies: {
    readonly total: number;
    readonly running: number;
    readonly by_status: Counts;
  };
  readonly errors: {
    readonly total: number;
    readonly per_minute: number;
    readonly by_type: Counts;
  };
  readonly tokens: { readonly input: number; readonly output: number };
  readonly latency_ms: {
    readonly reply: Percentiles;
    readonly time_to_first_token: Percentiles;
  };
  readonly sessions: {
    readonly total: number;
    readonly total_active: number;
    readonly by_status: Counts;
  };
  readonly viewers: number;
  readonly system: { readonly memory_bytes: { readonly resident: number } };
}
