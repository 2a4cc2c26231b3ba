import type { ReplyEvent } from "../../../src/replies/reply-event.ts";

export type { ReplyEvent };

export interface SessionInfo {
  readonly session_id: string;
  readonly user_id: string;
  readonly agent_id: string;
  readonly title: string | null;
  readonly status: "active" | "archived";
  readonly created_at: string;
  readonly last_activity: string;
  /** Of the active path. */
  readonly message_count: number;
  readonly head_message_id: string | null;
  readonly pinned: boolean;
  readonly tags: readonly string[];
  readonly config: SessionConfig;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly active_message_id: string | null;
  readonly active_message_status: "streaming" | "paused" | null;
}

export interface SessionConfig {
  readonly model?: string | null;
  readonly temperature?: number | null;
  readonly instructions?: string | null;
  readonly [name: string]: unknown;
}

export interface ToolCall {
  readonly tool_call_id: string;
  readonly name: string;
  readonly status: "started" | "completed" | "failed";
  readonly arguments?: unknown;
  readonly result?: unknown;
  readonly agent_id?: string;
}

export interface Requirement {
  readonly id: string;
  readonly kind: "confirm" | "input" | "external";
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface Decision {
  readonly id: string;
  readonly approved: boolean;
  readonly note?: string;
  readonly result?: unknown;
}

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

/** What a reply rests on: at least one of the members is there. */
export interface Source {
  readonly title?: string;
  readonly url?: string;
  readonly excerpt?: string;
}

/** What an agent has set itself to do. */
export interface Task {
  readonly id: string;
  readonly title: string;
  readonly status: "pending" | "in_progress" | "completed" | "failed" | "blocked";
  readonly assignee?: string;
}

/** Something that an agent's author wants shown. */
export interface CustomEvent {
  readonly name: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly agent_id: string;
}

/** A file that came with a user's message. */
export interface AttachmentInfo {
  readonly attachment_id: string;
  readonly name: string;
  readonly media_type: string;
  /** Bytes. */
  readonly size: number;
}

export interface Usage {
  readonly input_tokens: number;
  readonly output_tokens: number;
}

export type Rating = "up" | "down";

/** What the user thinks of a reply. */
export interface Feedback {
  readonly rating: Rating;
  readonly tags: readonly string[];
  readonly comment: string | null;
}

export type MessageStatus =
  | "queued"
  | "streaming"
  | "paused"
  | "complete"
  | "cancelled"
  | "interrupted"
  | "failed";

export interface Message {
  readonly message_id: string;
  readonly session_id: string;
  readonly role: "user" | "assistant" | "system";
  readonly content: string;
  readonly timestamp: string;
  readonly agent_id: string;
  readonly status: MessageStatus;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The message before it; absent in what only events have told. */
  readonly parent_id?: string | null;
  /** Where there are others in its place: all of them. */
  readonly siblings?: { readonly ids: readonly string[]; readonly index: number };
  readonly reply_to?: string | null;
  readonly usage?: Usage | null;
  readonly feedback?: Feedback | undefined;
  readonly finish_reason?: string | null;
  readonly reasoning?: string;
  readonly tool_calls?: readonly ToolCall[];
  readonly media?: readonly Media[];
  readonly sources?: readonly Source[];
  readonly suggestions?: readonly string[];
  readonly tasks?: readonly Task[];
  readonly custom_events?: readonly CustomEvent[];
  /** Messages of the user that it has taken in, and where in its text. */
  readonly steered?: readonly { readonly message_id: string; readonly text_start: number }[];
  readonly audio?: Readonly<Record<string, unknown>>;
  readonly attachments?: readonly AttachmentInfo[];
  readonly requirements?: readonly Requirement[];
  readonly error?: { readonly type: string; readonly code: number; readonly message: string };
}

export interface Agent {
  readonly agent_id: string;
  readonly name: string;
  readonly description: string;
  readonly type: "agent" | "team" | "workflow";
  readonly source: string;
  readonly model: string | null;
  readonly tools: readonly string[];
  /** What one might ask it first. */
  readonly suggested_prompts: readonly string[];
  /** Of `session_config`: what it can be told. */
  readonly settings: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly status: string;
}

export interface Model {
  readonly id: string;
  readonly name: string;
  readonly provider: string;
}

export interface Pagination {
  readonly total: number;
  readonly has_more: boolean;
  readonly next_cursor: string | null;
}

export interface ServiceConfig {
  readonly version: string;
  readonly features: Readonly<Record<string, boolean | string>>;
  readonly limits: Readonly<Record<string, number | null>>;
}

export interface DependencyReport {
  readonly status: "healthy" | "unhealthy" | "disabled";
  readonly latency_ms: number | null;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface HealthReport {
  readonly status: "healthy" | "degraded" | "unhealthy";
  readonly version: string;
  readonly uptime_seconds: number;
  readonly components: Readonly<
    Record<string, { readonly status: string; readonly details: Readonly<Record<string, unknown>> }>
  >;
  readonly dependencies: Readonly<Record<string, DependencyReport>>;
}

/** What everybody may know of a node. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, boolean>>;
}

export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
}

/** The part of the metrics that the page shows. */
export interface Metrics {
  readonly messages: { readonly total: number; readonly per_minute: number };
  readonly replies: { readonly total: number; readonly running: number };
  readonly errors: { readonly total: number; readonly per_minute: number };
  readonly tokens: { readonly input: number; readonly output: number };
  readonly latency_ms: {
    readonly reply: Percentiles;
    readonly time_to_first_token: Percentiles;
  };
  readonly sessions: { readonly total: number; readonly total_active: number };
  readonly viewers: number;
  readonly system: { readonly memory_bytes: { readonly resident: number } };
}
