// Made from the OpenAPI document by scripts/write-client-types.ts; changed there, not here.

export type SessionInfo = {
  readonly session_id: string;
  readonly user_id: string;
  readonly agent_id: string;
  readonly title: string | null;
  readonly status: "active" | "archived";
  readonly created_at: string;
  readonly last_activity: string;
  /** Messages of the active path, of both sides, those being made included. */
  readonly message_count: number;
  /** Of all branches. */
  readonly total_message_count: number;
  readonly head_message_id: string | null;
  readonly pinned: boolean;
  readonly tags: readonly string[];
  readonly config: {
    readonly [name: string]: unknown;
  };
  readonly metadata: {
    readonly [name: string]: unknown;
  };
  readonly active_message_id: string | null;
  readonly active_message_status: "streaming" | "paused" | null;
};

export type Pagination = {
  readonly total: number;
  readonly limit: number;
  readonly offset: number;
  readonly has_more: boolean;
  readonly next_cursor: string | null;
};

export type SessionEvent = {
  /** `ready` comes first: `GET /sessions` read after it has everything before. `reset`: what was missed is kept no longer, the list is to be read anew. */
  readonly type:
    | "ready"
    | "reset"
    | "session_created"
    | "session_updated"
    | "session_deleted"
    | "message_created"
    | "reply_started"
    | "reply_ended"
    | "feedback";
  readonly timestamp: string;
  readonly session_id?: string | undefined;
  readonly session_info?: SessionInfo | undefined;
  /** Of `session_updated`: names of members; `messages` where a message was changed. */
  readonly changed?: readonly string[] | undefined;
  readonly message_id?: string | undefined;
  readonly parent_id?: string | null | undefined;
  readonly role?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly reply_to?: string | undefined;
  /** Of `reply_ended`: how; `paused` where a person must decide. */
  readonly status?: string | undefined;
  readonly feedback?:
    | {
        readonly rating: "up" | "down";
        readonly tags: readonly string[];
        readonly comment: string | null;
        readonly timestamp: string;
      }
    | null
    | undefined;
};

export type Answer = {
  readonly success: true;
  readonly session_id: string;
  /** The assistant's message. */
  readonly message_id: string;
  readonly user_message_id: string;
  readonly response: string;
  readonly timestamp: string;
  readonly agent_id: string;
  readonly original_message: string;
  readonly processed_message: string | null;
  readonly audio_response: {
    readonly audio_id: string;
    /** Path of the bytes, as GET /chat/audio/{audio_id}. */
    readonly url: string;
    readonly format: string;
    readonly encoding: "base64";
    /** The bytes, where they are small enough. */
    readonly data?: string | undefined;
    readonly duration_ms: number | null;
  } | null;
  readonly usage: {
    readonly input_tokens: number;
    readonly output_tokens: number;
  } | null;
  /** How much of the conversation the reply's model was sent, where that is known. */
  readonly context?:
    | {
        /** Earlier ones and the new one. */
        readonly messages: number;
        readonly estimated_tokens: number;
        /** Earlier messages that did not fit. */
        readonly dropped: number;
        /** Earlier messages that a summary stood for. */
        readonly summarised?: number | undefined;
      }
    | undefined;
  /** Where `response_format` asked for JSON: the reply as a value; null with `output_error` where it is none. */
  readonly output?: unknown;
  /** Why `output` is null; the text is in the reply all the same. `incomplete`: an output limit cut it; `refused`: the model or its provider's filter declined; `too_deep`: deeper than 64 levels; `schema_mismatch`: it is JSON, but not as the schema wants it. With `schema_unchecked` alone `output` is there: the schema has a pattern or a shape with which it could not be checked, or not in 200 ms. */
  readonly output_error?:
    | "not_json"
    | "not_an_object"
    | "too_deep"
    | "schema_mismatch"
    | "schema_unchecked"
    | "incomplete"
    | "refused"
    | undefined;
  readonly finish_reason: string;
  readonly status: string;
  readonly requirements?:
    | readonly {
        readonly id: string;
        readonly kind: "confirm" | "input" | "external";
        readonly tool: string;
        readonly arguments: {
          readonly [name: string]: unknown;
        };
      }[]
    | undefined;
};

export type Accepted = {
  readonly success: true;
  readonly session_id: string;
  /** The assistant's message. */
  readonly message_id: string;
  readonly user_message_id: string;
  readonly agent_id: string;
  readonly processed_message: string | null;
  readonly status: string;
  readonly timestamp: string;
  readonly position?: number | undefined;
  /** `decision`: nothing goes on before a person has decided about `requirements` of the reply `waits_for`. */
  readonly reason?: "running" | "decision" | undefined;
  /** The reply in front. */
  readonly waits_for?: string | undefined;
  readonly requirements?:
    | readonly {
        readonly id: string;
        readonly kind: "confirm" | "input" | "external";
        readonly tool: string;
        readonly arguments: {
          readonly [name: string]: unknown;
        };
      }[]
    | undefined;
};

/** Always first, with id 1: the turn was accepted and stored. Again for each message that becomes part of it while it waits. */
export type UserMessageEvent = {
  readonly type: "user_message";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  /** For voice: the transcript. */
  readonly message: string;
  readonly user_message_id: string;
  readonly reply_message_id: string;
  readonly processed_message?: string | undefined;
};

/** An earlier message comes first. Told anew when what it waits for, or its place, has changed. */
export type QueuedEvent = {
  readonly type: "queued";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly position: number;
  /** `decision`: nothing goes on before a person has decided about `requirements` of the reply `waits_for`. Absent: nothing is in front any more, it begins where there is room. */
  readonly reason?: "running" | "decision" | undefined;
  /** The reply in front, as it was then. */
  readonly waits_for?: string | undefined;
  readonly requirements?:
    | readonly {
        readonly id: string;
        readonly kind: "confirm" | "input" | "external";
        readonly tool: string;
        readonly arguments: {
          readonly [name: string]: unknown;
        };
      }[]
    | undefined;
  /** Messages of the user that are answered together with the one before this event, by one reply (`on_busy: merge`). */
  readonly joins?: readonly string[] | undefined;
};

/** Text as the agent produces it. */
export type AssistantChunkEvent = {
  readonly type: "assistant_chunk";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly chunk: string;
  /** True on the last one, whose chunk may be empty. */
  readonly finished: boolean;
  readonly agent_id: string;
};

/** Thinking; not part of the answer. */
export type ReasoningChunkEvent = {
  readonly type: "reasoning_chunk";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly chunk: string;
  readonly agent_id: string;
};

/** A tool at work. */
export type ToolCallEvent = {
  readonly type: "tool_call";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly tool_call_id: string;
  readonly name: string;
  readonly status: "started" | "completed" | "failed";
  readonly arguments?: unknown;
  /** Cut at 4 KiB. */
  readonly result?: unknown;
  readonly agent_id: string;
};

/** Who is at work in a team or workflow. */
export type AgentEvent = {
  readonly type: "agent_event";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly event:
    | "member_started"
    | "member_completed"
    | "member_failed"
    | "step_started"
    | "step_completed"
    | "step_failed"
    | "step_progress"
    | "handoff"
    | "branch_taken"
    | "iteration_started"
    | "memory_updated"
    | "context_compacted";
  readonly agent_id: string;
  readonly name: string;
  readonly parent_agent_id?: string | undefined;
  /** What a member or step produced, how far a step is, what is remembered; cut at 4 KiB. */
  readonly detail?: string | undefined;
  /** Of `branch_taken`: the steps that come next; of a condition `if` or `else`. */
  readonly branches?: readonly string[] | undefined;
  /** Of `iteration_started`: which one. */
  readonly iteration?: number | undefined;
  readonly max_iterations?: number | undefined;
  /** Of `context_compacted`: how many were. */
  readonly messages?: number | undefined;
};

/** An image, sound or file that the agent produced, by reference. */
export type MediaEvent = {
  readonly type: "media";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly kind: string;
  /** Of what is kept here the path below this service; absent where it is not (`left_out`). */
  readonly url?: string | undefined;
  readonly name?: string | undefined;
  /** Given where the file is kept here, as attachments are. */
  readonly attachment_id?: string | undefined;
  readonly media_type?: string | undefined;
  /** Bytes. */
  readonly size?: number | undefined;
  /** The file is lost: its user has no room for it (`limits`), or it could not be stored. */
  readonly left_out?: "no_space" | "not_stored" | undefined;
  readonly agent_id: string;
};

/** What the reply rests on, such as pages that were searched and documents of a knowledge base: those that are new. */
export type SourcesEvent = {
  readonly type: "sources";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly sources: readonly {
    readonly title?: string | undefined;
    /** `http` or `https`. */
    readonly url?: string | undefined;
    /** The beginning of what of it was used. */
    readonly excerpt?: string | undefined;
  }[];
  readonly agent_id: string;
};

/** What the user might say next, in place of what was suggested before. */
export type SuggestionsEvent = {
  readonly type: "suggestions";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly suggestions: readonly string[];
};

/** What the agent has set itself to do, all of it, in place of what was told before. */
export type TasksEvent = {
  readonly type: "tasks";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly tasks: readonly {
    readonly id: string;
    readonly title: string;
    readonly status: "pending" | "in_progress" | "completed" | "failed" | "blocked";
    /** A member's id. */
    readonly assignee?: string | undefined;
  }[];
  readonly agent_id: string;
};

/** What the agent's author wants clients to know; equal ones are told once, 100 of a message. */
export type AgentCustomEvent = {
  readonly type: "agent_custom";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly name: string;
  /** In the author's own form; absent where it is above 8 KiB. */
  readonly data?:
    | {
        readonly [name: string]: unknown;
      }
    | undefined;
  readonly agent_id: string;
};

/** Speech for one sentence, while the rest is still being written. */
export type AudioChunkEvent = {
  readonly type: "audio_chunk";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly sequence: number;
  readonly format: string;
  /** In Hz; of `pcm` always told. */
  readonly sample_rate: number | null;
  /** Base64. */
  readonly data: string;
  readonly text: string;
  /** Where it stands in the reply's speech. */
  readonly start_ms: number;
  readonly duration_ms: number | null;
  /** The part of the reply's text that it stands for, in UTF-16 units. */
  readonly text_start: number;
  readonly text_end: number;
};

/** The whole reply as speech. */
export type AudioResponseEvent = {
  readonly type: "audio_response";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly audio: {
    readonly audio_id: string;
    /** Path of the bytes, as GET /chat/audio/{audio_id}. */
    readonly url: string;
    readonly format: string;
    readonly encoding: "base64";
    /** The bytes, where they are small enough. */
    readonly data?: string | undefined;
    readonly duration_ms: number | null;
  };
};

/** The reply has taken in a message that was sent with `on_busy: steer`, or that was the answer to what it had asked; what follows knows of it. */
export type SteeredEvent = {
  readonly type: "steered";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly user_message_id: string;
  readonly message: string;
  /** Where it came in the reply's text, in UTF-16 units. */
  readonly text_start: number;
};

/** A person must decide; POST /chat/message/{message_id}/continue goes on. */
export type PausedEvent = {
  readonly type: "paused";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly requirements: readonly {
    readonly id: string;
    readonly kind: "confirm" | "input" | "external";
    readonly tool: string;
    readonly arguments: {
      readonly [name: string]: unknown;
    };
  }[];
  /** Why decisions that were sent before were not taken. */
  readonly error?: string | undefined;
  readonly code?: number | undefined;
  readonly error_type?: string | undefined;
};

/** The agent has taken back its text so far: this stands in its place, and chunks go on behind it. */
export type ReplacedEvent = {
  readonly type: "replaced";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly content: string;
};

/** The text so far in one piece, for a reader that has missed events of it; its id is the last event it covers. */
export type SnapshotEvent = {
  readonly type: "snapshot";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly content: string;
  readonly reasoning?: string | undefined;
  /** Messages of the user that the reply has taken in while it was made. */
  readonly steered?:
    | readonly {
        /** Of the user's message. */
        readonly message_id: string;
        /** Where it came in the reply's text, in UTF-16 units. */
        readonly text_start: number;
      }[]
    | undefined;
  readonly sources?:
    | readonly {
        readonly title?: string | undefined;
        /** `http` or `https`. */
        readonly url?: string | undefined;
        /** The beginning of what of it was used. */
        readonly excerpt?: string | undefined;
      }[]
    | undefined;
  /** What the user might say next. */
  readonly suggestions?: readonly string[] | undefined;
  /** What the agent has set itself to do. */
  readonly tasks?:
    | readonly {
        readonly id: string;
        readonly title: string;
        readonly status: "pending" | "in_progress" | "completed" | "failed" | "blocked";
        /** A member's id. */
        readonly assignee?: string | undefined;
      }[]
    | undefined;
  /** As the events `agent_custom`. */
  readonly custom_events?:
    | readonly {
        readonly name: string;
        /** In the author's own form; absent where it is above 8 KiB. */
        readonly data?:
          | {
              readonly [name: string]: unknown;
            }
          | undefined;
        readonly agent_id: string;
      }[]
    | undefined;
  /** The model that has written it, where its source says so. */
  readonly model?: string | undefined;
};

/** The reply is stored. Terminal. */
export type ConversationCompleteEvent = {
  readonly type: "conversation_complete";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly full_response: string;
  readonly agent_id: string;
  readonly finish_reason: string;
  readonly usage: {
    readonly input_tokens: number;
    readonly output_tokens: number;
  } | null;
  /** How much of the conversation the reply's model was sent, where that is known. */
  readonly context?:
    | {
        /** Earlier ones and the new one. */
        readonly messages: number;
        readonly estimated_tokens: number;
        /** Earlier messages that did not fit. */
        readonly dropped: number;
        /** Earlier messages that a summary stood for. */
        readonly summarised?: number | undefined;
      }
    | undefined;
  /** Where `response_format` asked for JSON: the reply as a value; null with `output_error` where it is none. */
  readonly output?: unknown;
  /** Why `output` is null; the text is in the reply all the same. `incomplete`: an output limit cut it; `refused`: the model or its provider's filter declined; `too_deep`: deeper than 64 levels; `schema_mismatch`: it is JSON, but not as the schema wants it. With `schema_unchecked` alone `output` is there: the schema has a pattern or a shape with which it could not be checked, or not in 200 ms. */
  readonly output_error?:
    | "not_json"
    | "not_an_object"
    | "too_deep"
    | "schema_mismatch"
    | "schema_unchecked"
    | "incomplete"
    | "refused"
    | undefined;
  readonly duration_ms: number;
  readonly time_to_first_token_ms: number | null;
};

/** Stopped on purpose; what had been said is kept. Terminal. */
export type CancelledEvent = {
  readonly type: "cancelled";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly full_response: string;
  readonly reason: string;
};

/** The reply ended in a fault. Terminal. */
export type ErrorEvent = {
  readonly type: "error";
  readonly session_id: string;
  /** The reply this event belongs to. */
  readonly message_id: string;
  readonly timestamp: string;
  readonly error: string;
  /** As an HTTP status. */
  readonly code: number;
  /** As `error.type`, or `interrupted`. */
  readonly error_type: string;
  /** What had arrived. */
  readonly full_response: string;
};

export type Message = {
  readonly message_id: string;
  readonly session_id: string;
  readonly parent_id: string | null;
  readonly role: "user" | "assistant" | "system";
  readonly content: string;
  readonly timestamp: string;
  readonly agent_id: string;
  readonly status:
    | "queued"
    | "streaming"
    | "paused"
    | "complete"
    | "cancelled"
    | "interrupted"
    | "failed";
  readonly metadata: {
    readonly [name: string]: unknown;
  };
  /** Of an assistant message: the user's message. */
  readonly reply_to?: string | undefined;
  /** Where there are others of this role below the same parent: all of them. */
  readonly siblings?:
    | {
        readonly ids: readonly string[];
        readonly index: number;
      }
    | undefined;
  readonly usage?:
    | {
        readonly input_tokens: number;
        readonly output_tokens: number;
      }
    | null
    | undefined;
  /** How much of the conversation the reply's model was sent, where that is known. */
  readonly context?:
    | {
        /** Earlier ones and the new one. */
        readonly messages: number;
        readonly estimated_tokens: number;
        /** Earlier messages that did not fit. */
        readonly dropped: number;
        /** Earlier messages that a summary stood for. */
        readonly summarised?: number | undefined;
      }
    | undefined;
  /** Where `response_format` asked for JSON: the reply as a value; null with `output_error` where it is none. */
  readonly output?: unknown;
  /** Why `output` is null; the text is in the reply all the same. `incomplete`: an output limit cut it; `refused`: the model or its provider's filter declined; `too_deep`: deeper than 64 levels; `schema_mismatch`: it is JSON, but not as the schema wants it. With `schema_unchecked` alone `output` is there: the schema has a pattern or a shape with which it could not be checked, or not in 200 ms. */
  readonly output_error?:
    | "not_json"
    | "not_an_object"
    | "too_deep"
    | "schema_mismatch"
    | "schema_unchecked"
    | "incomplete"
    | "refused"
    | undefined;
  readonly finish_reason?: string | null | undefined;
  readonly reasoning?: string | undefined;
  readonly tool_calls?:
    | readonly {
        readonly [name: string]: unknown;
      }[]
    | undefined;
  readonly media?:
    | readonly {
        readonly [name: string]: unknown;
      }[]
    | undefined;
  /** Messages of the user that the reply has taken in while it was made. */
  readonly steered?:
    | readonly {
        /** Of the user's message. */
        readonly message_id: string;
        /** Where it came in the reply's text, in UTF-16 units. */
        readonly text_start: number;
      }[]
    | undefined;
  readonly sources?:
    | readonly {
        readonly title?: string | undefined;
        /** `http` or `https`. */
        readonly url?: string | undefined;
        /** The beginning of what of it was used. */
        readonly excerpt?: string | undefined;
      }[]
    | undefined;
  /** What the user might say next. */
  readonly suggestions?: readonly string[] | undefined;
  /** What the agent has set itself to do. */
  readonly tasks?:
    | readonly {
        readonly id: string;
        readonly title: string;
        readonly status: "pending" | "in_progress" | "completed" | "failed" | "blocked";
        /** A member's id. */
        readonly assignee?: string | undefined;
      }[]
    | undefined;
  /** As the events `agent_custom`. */
  readonly custom_events?:
    | readonly {
        readonly name: string;
        /** In the author's own form; absent where it is above 8 KiB. */
        readonly data?:
          | {
              readonly [name: string]: unknown;
            }
          | undefined;
        readonly agent_id: string;
      }[]
    | undefined;
  /** The model that has written it, where its source says so. */
  readonly model?: string | undefined;
  readonly audio?:
    | {
        readonly [name: string]: unknown;
      }
    | undefined;
  readonly attachments?:
    | readonly {
        readonly attachment_id: string;
        readonly name: string;
        readonly media_type: string;
        /** Bytes. */
        readonly size: number;
        /** Path of the bytes. */
        readonly url: string;
      }[]
    | undefined;
  /** Of a spoken reply that was interrupted: what follows `content` and nobody heard. */
  readonly unspoken?: string | undefined;
  readonly requirements?:
    | readonly {
        readonly id: string;
        readonly kind: "confirm" | "input" | "external";
        readonly tool: string;
        readonly arguments: {
          readonly [name: string]: unknown;
        };
      }[]
    | undefined;
  /** Of a user's message that was the answer to what this paused reply had asked: it has no reply of its own. */
  readonly answers?:
    | {
        readonly message_id: string;
        readonly decisions: readonly {
          readonly id: string;
          readonly approved: boolean;
          readonly note?: string | undefined;
          readonly result?: unknown;
        }[];
      }
    | undefined;
  readonly feedback?:
    | {
        readonly rating: "up" | "down";
        readonly tags: readonly string[];
        readonly comment: string | null;
        readonly timestamp: string;
      }
    | undefined;
  readonly error?:
    | {
        readonly type: string;
        readonly code: number;
        readonly message: string;
      }
    | undefined;
};

export type Agent = {
  readonly agent_id: string;
  readonly name: string;
  readonly description: string;
  readonly type: "agent" | "team" | "workflow";
  /** Where it comes from: `agno`, `models`, `builtin`, … */
  readonly source: string;
  readonly model: string | null;
  readonly tools: readonly string[];
  /** Members of `session_config` that it can be told; `model`, `temperature` and `instructions` mean nothing to the others, anything else is refused with 422. */
  readonly settings: readonly string[];
  /** What one might ask it first, as its author has written it. */
  readonly suggested_prompts: readonly string[];
  /** Whether a message may be the answer to what its paused reply asks. */
  readonly answers_in_words: boolean;
  readonly metadata: {
    readonly [name: string]: unknown;
  };
  readonly status: "available" | "unavailable";
};

/** What happens to a reply. */
export type ReplyEvent =
  | UserMessageEvent
  | QueuedEvent
  | AssistantChunkEvent
  | ReasoningChunkEvent
  | ToolCallEvent
  | AgentEvent
  | MediaEvent
  | SourcesEvent
  | SuggestionsEvent
  | TasksEvent
  | AgentCustomEvent
  | AudioChunkEvent
  | AudioResponseEvent
  | SteeredEvent
  | PausedEvent
  | ReplacedEvent
  | SnapshotEvent
  | ConversationCompleteEvent
  | CancelledEvent
  | ErrorEvent;

/** Stable names of errors. */
export type ProblemType =
  | "agent_failed"
  | "agent_not_found"
  | "agent_timeout"
  | "agent_unavailable"
  | "api_key_not_found"
  | "attachment_not_found"
  | "audio_not_found"
  | "bad_request"
  | "budget_exceeded"
  | "forbidden"
  | "idempotency_conflict"
  | "import_failed"
  | "internal_error"
  | "knowledge_not_found"
  | "malformed_json"
  | "memory_not_found"
  | "message_not_found"
  | "message_not_queued"
  | "message_not_running"
  | "message_running"
  | "overloaded"
  | "payload_too_large"
  | "queue_full"
  | "range_not_satisfiable"
  | "rate_limited"
  | "session_archived"
  | "session_busy"
  | "session_not_found"
  | "share_not_found"
  | "shutting_down"
  | "speech_failed"
  | "speech_timeout"
  | "storage_quota_exceeded"
  | "storage_unavailable"
  | "unauthorized"
  | "unsupported_media_type"
  | "validation_failed"
  | "voice_unavailable";

/** What each operation takes and gives. */
export interface Operations {
  /** Create a session */
  "POST /chat/session": {
    readonly query: object;
    readonly body: {
      readonly user_id?: string | undefined;
      readonly agent_id?: string | null | undefined;
      readonly session_config?:
        | {
            readonly title?: string | undefined;
            /** One of GET /chat/models, if the agent lets it be chosen. */
            readonly model?: string | undefined;
            readonly temperature?: number | undefined;
            /** Extra system text. */
            readonly instructions?: string | undefined;
            /** Of a reply. This and what follows are refused where the agent cannot be told. */
            readonly max_tokens?: number | undefined;
            readonly top_p?: number | undefined;
            readonly stop?: string | readonly string[] | undefined;
            readonly seed?: number | undefined;
            readonly presence_penalty?: number | undefined;
            readonly frequency_penalty?: number | undefined;
            readonly reasoning_effort?: string | undefined;
            /** For agents that can: the form in which the model is to answer. The text is in `content`, what it says in `output`. */
            readonly response_format?:
              | {
                  readonly type: "text" | "json_object";
                }
              | {
                  readonly type: "json_schema";
                  readonly json_schema: {
                    readonly name: string;
                    readonly description?: string | undefined;
                    readonly schema: {
                      readonly [name: string]: unknown;
                    };
                    readonly strict?: boolean | undefined;
                  };
                }
              | undefined;
            /** Defaults for voice_config. */
            readonly voice?:
              | {
                  readonly [name: string]: unknown;
                }
              | undefined;
            /** What becomes of a message for a session that is still answering. `merge`: messages that wait are answered together; `steer`: the running reply takes it in at its next step. */
            readonly on_busy?:
              | "enqueue"
              | "reject"
              | "interrupt"
              | "rollback"
              | "merge"
              | "steer"
              | undefined;
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly metadata?:
        | {
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
    };
    readonly answer: {
      readonly success: true;
      readonly session_id: string;
      readonly session_info: SessionInfo;
    };
  };
  /** The state of a session in short */
  "GET /chat/session/{session_id}/status": {
    readonly query: {
      /** In auth.mode open: only if it belongs to this user. */
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly session_id: string;
      readonly status: string;
      readonly last_activity: string;
      readonly message_count: number;
      readonly user_id: string;
      readonly agent_id: string;
      readonly created_at: string;
      readonly active_message_id: string | null;
    };
  };
  /** A user's sessions, newest activity first */
  "GET /sessions": {
    readonly query: {
      readonly user_id?: string | undefined;
      readonly status?: "active" | "archived" | undefined;
      readonly agent_id?: string | undefined;
      /** Words of the title, as in `GET /chat/search`. */
      readonly q?: string | undefined;
      readonly pinned?: boolean | undefined;
      /** Repeated: sessions with all of them. */
      readonly tag?: string | readonly string[] | undefined;
      /** `pinned`: those first. A cursor belongs to its order. */
      readonly order?: "activity" | "pinned" | undefined;
      readonly limit?: number | undefined;
      readonly offset?: number | undefined;
      readonly cursor?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly user_id: string;
      readonly sessions: readonly SessionInfo[];
      readonly pagination: Pagination;
    };
  };
  /** A session */
  "GET /sessions/{session_id}": {
    readonly query: {
      /** In auth.mode open: only if it belongs to this user. */
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: SessionInfo;
  };
  /** Change a session */
  "PATCH /sessions/{session_id}": {
    readonly query: {
      /** In auth.mode open: only if it belongs to this user. */
      readonly user_id?: string | undefined;
    };
    readonly body: {
      readonly title?: string | null | undefined;
      readonly status?: "active" | "archived" | undefined;
      readonly agent_id?: string | undefined;
      /** Shows the path through this message, down to its newest leaf. 409 `session_busy` while a reply is made that is not on it. */
      readonly head_message_id?: string | undefined;
      readonly config?:
        | {
            readonly title?: string | null | undefined;
            readonly model?: string | null | undefined;
            readonly temperature?: number | null | undefined;
            readonly instructions?: string | null | undefined;
            readonly max_tokens?: number | null | undefined;
            readonly top_p?: number | null | undefined;
            readonly stop?: string | readonly string[] | null | undefined;
            readonly seed?: number | null | undefined;
            readonly presence_penalty?: number | null | undefined;
            readonly frequency_penalty?: number | null | undefined;
            readonly reasoning_effort?: string | null | undefined;
            readonly response_format?:
              | {
                  readonly type: "text" | "json_object";
                }
              | {
                  readonly type: "json_schema";
                  readonly json_schema: {
                    readonly name: string;
                    readonly description?: string | undefined;
                    readonly schema: {
                      readonly [name: string]: unknown;
                    };
                    readonly strict?: boolean | undefined;
                  };
                }
              | null
              | undefined;
            readonly voice?:
              | {
                  readonly [name: string]: unknown;
                }
              | null
              | undefined;
            readonly on_busy?:
              | "enqueue"
              | "reject"
              | "interrupt"
              | "rollback"
              | "merge"
              | "steer"
              | null
              | undefined;
            readonly [name: string]: unknown;
          }
        | undefined;
      /** Yours; kept as given. */
      readonly metadata?:
        | {
            readonly [name: string]: unknown;
          }
        | undefined;
      /** Pinned sessions are kept however long they are idle. */
      readonly pinned?: boolean | undefined;
      /** All of them; without space around them, each once. */
      readonly tags?: readonly string[] | undefined;
    };
    readonly answer: SessionInfo;
  };
  /** Delete a session with its messages, audio and running reply */
  "DELETE /sessions/{session_id}": {
    readonly query: {
      /** In auth.mode open: only if it belongs to this user. */
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly message: string;
      readonly session_id: string;
    };
  };
  /** A new session of the path up to a message */
  "POST /sessions/{session_id}/fork": {
    readonly query: {
      /** In auth.mode open: only if it belongs to this user. */
      readonly user_id?: string | undefined;
    };
    readonly body: {
      /** The last one to be copied. */
      readonly message_id: string;
    };
    readonly answer: {
      readonly success: true;
      readonly session_id: string;
      readonly session_info: SessionInfo;
    };
  };
  /** Delete a session with its messages, audio and running reply */
  "DELETE /chat/session/{session_id}": {
    readonly query: {
      /** In auth.mode open: only if it belongs to this user. */
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly message: string;
      readonly session_id: string;
    };
  };
  /** What administrators did, and what was reached of others', newest first (admin) */
  "GET /audit": {
    readonly query: {
      readonly actor?: string | undefined;
      readonly key_name?: string | undefined;
      readonly subject?: string | undefined;
      readonly action?: string | undefined;
      /** `allowed`: noted before it was done, without which it is not done; `failed`: what the same request was allowed was not done after all. */
      readonly outcome?: "allowed" | "failed" | undefined;
      readonly request_id?: string | undefined;
      /** At this time or later. */
      readonly since?: string | undefined;
      /** Before this time. */
      readonly until?: string | undefined;
      readonly limit?: number | undefined;
      readonly cursor?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly entries: readonly {
        readonly entry_id: string;
        readonly at: string;
        readonly actor: string | null;
        readonly key_name: string | null;
        /** What: a method and the pattern of a path. */
        readonly action: string;
        readonly subject: string | null;
        /** Ids. */
        readonly target: {
          readonly [name: string]: string;
        };
        readonly request_id: string;
        readonly address: string;
        /** `allowed`: noted before it was done, without which it is not done; `failed`: what the same request was allowed was not done after all. */
        readonly outcome: "allowed" | "failed";
        readonly status: number | null;
      }[];
      readonly pagination: {
        readonly limit: number;
        readonly has_more: boolean;
        readonly next_cursor: string | null;
      };
    };
  };
  /** Make an API key (admin) */
  "POST /api-keys": {
    readonly query: object;
    readonly body: {
      readonly name: string;
      /** Whose it is; else its name. */
      readonly user_id?: string | undefined;
      readonly roles?: readonly string[] | undefined;
      readonly scopes?: readonly string[] | null | undefined;
      /** It acts for the user whom `X-User-Id` or OpenAI's `user` names. */
      readonly acts_for_users?: boolean | undefined;
      readonly on_disconnect?: "continue" | "cancel" | null | undefined;
      readonly expires_in?: number | null | undefined;
    };
    readonly answer: {
      readonly success: true;
      /** Sent as `X-API-Key` or as a Bearer token. */
      readonly key: string;
      readonly api_key: {
        readonly key_id: string;
        readonly name: string;
        /** How it begins. */
        readonly hint: string;
        readonly user_id: string;
        readonly roles: readonly string[];
        readonly scopes: readonly string[] | null;
        readonly acts_for_users: boolean;
        readonly on_disconnect: "continue" | "cancel" | null;
        readonly created_by: string | null;
        readonly created_at: string;
        readonly expires_at: string | null;
        readonly revoked_at: string | null;
        readonly last_used_at: string | null;
      };
    };
  };
  /** The API keys that there are, newest first (admin) */
  "GET /api-keys": {
    readonly query: {
      /** Also those that were revoked or have expired. */
      readonly include_ended?: boolean | undefined;
      readonly limit?: number | undefined;
      readonly cursor?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly api_keys: readonly {
        readonly key_id: string;
        readonly name: string;
        /** How it begins. */
        readonly hint: string;
        readonly user_id: string;
        readonly roles: readonly string[];
        readonly scopes: readonly string[] | null;
        readonly acts_for_users: boolean;
        readonly on_disconnect: "continue" | "cancel" | null;
        readonly created_by: string | null;
        readonly created_at: string;
        readonly expires_at: string | null;
        readonly revoked_at: string | null;
        readonly last_used_at: string | null;
      }[];
      readonly pagination: {
        readonly limit: number;
        readonly has_more: boolean;
        readonly next_cursor: string | null;
      };
    };
  };
  /** Revoke an API key (admin) */
  "DELETE /api-keys/{key_id}": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly api_key: {
        readonly key_id: string;
        readonly name: string;
        /** How it begins. */
        readonly hint: string;
        readonly user_id: string;
        readonly roles: readonly string[];
        readonly scopes: readonly string[] | null;
        readonly acts_for_users: boolean;
        readonly on_disconnect: "continue" | "cancel" | null;
        readonly created_by: string | null;
        readonly created_at: string;
        readonly expires_at: string | null;
        readonly revoked_at: string | null;
        readonly last_used_at: string | null;
      };
    };
  };
  /** Follow what happens to a user's sessions, on whatever device and node */
  "GET /sessions/events": {
    readonly query: {
      readonly user_id?: string | undefined;
      /** Id of the last event seen; nothing: from now on. */
      readonly after?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: never;
  };
  /** What a user, or all, have used */
  "GET /usage": {
    readonly query: {
      readonly user_id?: string | undefined;
      /** Of everybody, whatever `user_id` says; administrators only. */
      readonly all_users?: boolean | undefined;
      /** Days are those of UTC. */
      readonly group_by?: "day" | "agent" | "model" | "kind" | undefined;
      /** Ended at this time or later. */
      readonly since?: string | undefined;
      /** Ended before this time. */
      readonly until?: string | undefined;
      /** In this conversation of the user's, also when it was deleted. */
      readonly session_id?: string | undefined;
      readonly agent_id?: string | undefined;
      readonly model?: string | undefined;
      /** What it was used for. */
      readonly kind?: "reply" | "title" | "summary" | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly rows: readonly {
        readonly day?: string | undefined;
        readonly agent_id?: string | undefined;
        readonly model?: string | null | undefined;
        /** What it was used for. */
        readonly kind?: "reply" | "title" | "summary" | undefined;
        readonly replies: number;
        readonly input_tokens: number;
        readonly output_tokens: number;
        /** Of the input, read from a cache. */
        readonly cached_tokens: number;
        /** Of the output. */
        readonly reasoning_tokens: number;
        readonly cost: number | null;
      }[];
      readonly total: {
        readonly replies: number;
        readonly input_tokens: number;
        readonly output_tokens: number;
        /** Of the input, read from a cache. */
        readonly cached_tokens: number;
        /** Of the output. */
        readonly reasoning_tokens: number;
        readonly cost: number | null;
      };
    };
  };
  /** Erase what is known of a user's use (administrators) */
  "DELETE /usage": {
    readonly query: {
      readonly user_id: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly deleted: number;
    };
  };
  /** What agents remember of a user */
  "GET /chat/memories": {
    readonly query: {
      /** Default: oneself. */
      readonly user_id?: string | undefined;
      /** Only what it knows. */
      readonly agent_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly memories: readonly {
        readonly memory_id: string;
        readonly memory: string;
        readonly topics: readonly string[];
        /** The agents that have access to it, as in `GET /chat/agents`. */
        readonly agent_ids: readonly string[];
        readonly updated_at: string | null;
      }[];
      readonly count: number;
      /** False: a server could not be asked, and may remember more. */
      readonly complete: boolean;
    };
  };
  /** Have all agents forget everything about a user */
  "DELETE /chat/memories": {
    readonly query: {
      /** Default: oneself. */
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      /** Those that were there just now. */
      readonly deleted: number;
      readonly pending: boolean;
    };
  };
  /** Have an agent forget something */
  "DELETE /chat/memories/{memory_id}": {
    readonly query: {
      /** Default: oneself. */
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
    };
  };
  /** The documents that agents look things up in */
  "GET /chat/knowledge": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly knowledge: readonly {
        readonly knowledge_id: string;
        readonly name: string;
        readonly description: string | null;
        /** The agents that look things up in it, as in `GET /chat/agents`. */
        readonly agent_ids: readonly string[];
        readonly documents: readonly {
          readonly document_id: string;
          readonly name: string;
          readonly media_type: string | null;
          readonly size: number | null;
          /** How far its source is with reading it; `partial`: only some of it can be found. */
          readonly status: "processing" | "completed" | "partial" | "failed";
          readonly updated_at: string | null;
        }[];
      }[];
      /** Whether the caller may add documents and take them away. */
      readonly may_change: boolean;
      /** False: a server could not be asked, and may have more. */
      readonly complete: boolean;
    };
  };
  /** Give agents a document to look things up in */
  "POST /chat/knowledge/{knowledge_id}/documents": {
    readonly query: object;
    readonly body: {
      readonly name: string;
      /** Parameters are dropped; images are told by their bytes, whatever this says. */
      readonly media_type: string;
      /** The bytes, Base64. */
      readonly data: string;
    };
    readonly answer: {
      readonly success: true;
      readonly document_id: string;
      /** How far its source is with reading it; `partial`: only some of it can be found. */
      readonly status: "processing" | "completed" | "partial" | "failed";
    };
  };
  /** Take a document away from agents */
  "DELETE /chat/knowledge/{knowledge_id}/documents/{document_id}": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
    };
  };
  /** Delete, archive or activate several sessions */
  "POST /sessions/batch": {
    readonly query: object;
    readonly body: {
      readonly session_ids: readonly string[];
      readonly operation: "delete" | "archive" | "activate";
      readonly user_id?: string | undefined;
    };
    readonly answer: {
      /** Whether all of them succeeded. */
      readonly success: boolean;
      readonly processed_count: number;
      readonly failed_count: number;
      readonly results: readonly {
        readonly session_id: string;
        readonly status: "success" | "failed";
        readonly message?: string | undefined;
        readonly error?: string | undefined;
      }[];
      readonly errors: readonly string[];
    };
  };
  /** How a user's sessions are distributed */
  "GET /sessions/user/{user_id}/stats": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly user_id: string;
      readonly total_sessions: number;
      readonly active_sessions: number;
      readonly archived_sessions: number;
      readonly total_messages: number;
      /** Stored speech and recordings. */
      readonly total_audio: number;
      readonly average_messages_per_session: number;
      /** Replies that the user has rated. */
      readonly feedback: {
        readonly up: number;
        readonly down: number;
      };
      readonly agent_usage: {
        readonly [name: string]: {
          readonly session_count: number;
          readonly message_count: number;
        };
      };
      readonly timestamp: string;
    };
  };
  /** Delete sessions without recent activity (admin) */
  "POST /sessions/cleanup": {
    readonly query: {
      readonly days_threshold?: number | undefined;
      readonly dry_run?: boolean | undefined;
    };
    readonly body: {
      readonly days_threshold?: number | undefined;
      readonly dry_run?: boolean | undefined;
    } | null;
    readonly answer: {
      readonly success: true;
      readonly dry_run: boolean;
      readonly found_inactive: number;
      readonly would_delete?: number | undefined;
      readonly deleted_count?: number | undefined;
      readonly inactive_sessions: readonly {
        readonly session_id: string;
        readonly user_id: string;
        readonly last_activity: string;
        readonly days_inactive: number;
      }[];
    };
  };
  /** Send a message and wait for the whole reply */
  "POST /chat/message": {
    readonly query: object;
    readonly body: {
      readonly session_id?: string | null | undefined;
      readonly user_id?: string | undefined;
      readonly parent_message_id?: string | null | undefined;
      readonly message: string;
      readonly message_type?: "text" | "voice" | undefined;
      readonly stream?: boolean | undefined;
      readonly voice_config?:
        | {
            readonly enable_tts?: boolean | undefined;
            /** Speech sentence by sentence while the text is being written. */
            readonly stream_audio?: boolean | undefined;
            readonly voice?: string | undefined;
            readonly format?: string | undefined;
            readonly speed?: number | undefined;
          }
        | null
        | undefined;
      readonly agent_id?: string | null | undefined;
      readonly session_config?:
        | {
            readonly title?: string | undefined;
            /** One of GET /chat/models, if the agent lets it be chosen. */
            readonly model?: string | undefined;
            readonly temperature?: number | undefined;
            /** Extra system text. */
            readonly instructions?: string | undefined;
            /** Of a reply. This and what follows are refused where the agent cannot be told. */
            readonly max_tokens?: number | undefined;
            readonly top_p?: number | undefined;
            readonly stop?: string | readonly string[] | undefined;
            readonly seed?: number | undefined;
            readonly presence_penalty?: number | undefined;
            readonly frequency_penalty?: number | undefined;
            readonly reasoning_effort?: string | undefined;
            /** For agents that can: the form in which the model is to answer. The text is in `content`, what it says in `output`. */
            readonly response_format?:
              | {
                  readonly type: "text" | "json_object";
                }
              | {
                  readonly type: "json_schema";
                  readonly json_schema: {
                    readonly name: string;
                    readonly description?: string | undefined;
                    readonly schema: {
                      readonly [name: string]: unknown;
                    };
                    readonly strict?: boolean | undefined;
                  };
                }
              | undefined;
            /** Defaults for voice_config. */
            readonly voice?:
              | {
                  readonly [name: string]: unknown;
                }
              | undefined;
            /** What becomes of a message for a session that is still answering. `merge`: messages that wait are answered together; `steer`: the running reply takes it in at its next step. */
            readonly on_busy?:
              | "enqueue"
              | "reject"
              | "interrupt"
              | "rollback"
              | "merge"
              | "steer"
              | undefined;
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly response_format?:
        | {
            readonly type: "text" | "json_object";
          }
        | {
            readonly type: "json_schema";
            readonly json_schema: {
              readonly name: string;
              readonly description?: string | undefined;
              readonly schema: {
                readonly [name: string]: unknown;
              };
              readonly strict?: boolean | undefined;
            };
          }
        | null
        | undefined;
      readonly context?:
        | {
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly metadata?:
        | {
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly attachments?:
        | readonly {
            readonly name: string;
            /** Parameters are dropped; images are told by their bytes, whatever this says. */
            readonly media_type: string;
            /** The bytes, Base64. */
            readonly data: string;
          }[]
        | null
        | undefined;
      /** What becomes of a message for a session that is still answering. `merge`: messages that wait are answered together; `steer`: the running reply takes it in at its next step. */
      readonly on_busy?:
        | "enqueue"
        | "reject"
        | "interrupt"
        | "rollback"
        | "merge"
        | "steer"
        | undefined;
    };
    readonly answer: Answer | Accepted;
  };
  /** Send a message and follow the reply as it is made */
  "POST /chat/message/stream": {
    readonly query: object;
    readonly body: {
      readonly session_id?: string | null | undefined;
      readonly user_id?: string | undefined;
      readonly parent_message_id?: string | null | undefined;
      readonly message: string;
      readonly message_type?: "text" | "voice" | undefined;
      readonly stream?: boolean | undefined;
      readonly voice_config?:
        | {
            readonly enable_tts?: boolean | undefined;
            /** Speech sentence by sentence while the text is being written. */
            readonly stream_audio?: boolean | undefined;
            readonly voice?: string | undefined;
            readonly format?: string | undefined;
            readonly speed?: number | undefined;
          }
        | null
        | undefined;
      readonly agent_id?: string | null | undefined;
      readonly session_config?:
        | {
            readonly title?: string | undefined;
            /** One of GET /chat/models, if the agent lets it be chosen. */
            readonly model?: string | undefined;
            readonly temperature?: number | undefined;
            /** Extra system text. */
            readonly instructions?: string | undefined;
            /** Of a reply. This and what follows are refused where the agent cannot be told. */
            readonly max_tokens?: number | undefined;
            readonly top_p?: number | undefined;
            readonly stop?: string | readonly string[] | undefined;
            readonly seed?: number | undefined;
            readonly presence_penalty?: number | undefined;
            readonly frequency_penalty?: number | undefined;
            readonly reasoning_effort?: string | undefined;
            /** For agents that can: the form in which the model is to answer. The text is in `content`, what it says in `output`. */
            readonly response_format?:
              | {
                  readonly type: "text" | "json_object";
                }
              | {
                  readonly type: "json_schema";
                  readonly json_schema: {
                    readonly name: string;
                    readonly description?: string | undefined;
                    readonly schema: {
                      readonly [name: string]: unknown;
                    };
                    readonly strict?: boolean | undefined;
                  };
                }
              | undefined;
            /** Defaults for voice_config. */
            readonly voice?:
              | {
                  readonly [name: string]: unknown;
                }
              | undefined;
            /** What becomes of a message for a session that is still answering. `merge`: messages that wait are answered together; `steer`: the running reply takes it in at its next step. */
            readonly on_busy?:
              | "enqueue"
              | "reject"
              | "interrupt"
              | "rollback"
              | "merge"
              | "steer"
              | undefined;
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly response_format?:
        | {
            readonly type: "text" | "json_object";
          }
        | {
            readonly type: "json_schema";
            readonly json_schema: {
              readonly name: string;
              readonly description?: string | undefined;
              readonly schema: {
                readonly [name: string]: unknown;
              };
              readonly strict?: boolean | undefined;
            };
          }
        | null
        | undefined;
      readonly context?:
        | {
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly metadata?:
        | {
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly attachments?:
        | readonly {
            readonly name: string;
            /** Parameters are dropped; images are told by their bytes, whatever this says. */
            readonly media_type: string;
            /** The bytes, Base64. */
            readonly data: string;
          }[]
        | null
        | undefined;
      /** What becomes of a message for a session that is still answering. `merge`: messages that wait are answered together; `steer`: the running reply takes it in at its next step. */
      readonly on_busy?:
        | "enqueue"
        | "reject"
        | "interrupt"
        | "rollback"
        | "merge"
        | "steer"
        | undefined;
    };
    readonly answer: never;
  };
  /** A message as it is now */
  "GET /chat/message/{message_id}": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: Message;
  };
  /** Delete a message and everything below it */
  "DELETE /chat/message/{message_id}": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly message: string;
      readonly message_id: string;
    };
  };
  /** Say a message otherwise that still waits */
  "PATCH /chat/message/{message_id}": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: {
      readonly message: string;
      readonly message_type?: "text" | "voice" | undefined;
      readonly voice_config?:
        | {
            readonly enable_tts?: boolean | undefined;
            /** Speech sentence by sentence while the text is being written. */
            readonly stream_audio?: boolean | undefined;
            readonly voice?: string | undefined;
            readonly format?: string | undefined;
            readonly speed?: number | undefined;
          }
        | null
        | undefined;
      readonly agent_id?: string | null | undefined;
      readonly session_config?:
        | {
            readonly title?: string | undefined;
            /** One of GET /chat/models, if the agent lets it be chosen. */
            readonly model?: string | undefined;
            readonly temperature?: number | undefined;
            /** Extra system text. */
            readonly instructions?: string | undefined;
            /** Of a reply. This and what follows are refused where the agent cannot be told. */
            readonly max_tokens?: number | undefined;
            readonly top_p?: number | undefined;
            readonly stop?: string | readonly string[] | undefined;
            readonly seed?: number | undefined;
            readonly presence_penalty?: number | undefined;
            readonly frequency_penalty?: number | undefined;
            readonly reasoning_effort?: string | undefined;
            /** For agents that can: the form in which the model is to answer. The text is in `content`, what it says in `output`. */
            readonly response_format?:
              | {
                  readonly type: "text" | "json_object";
                }
              | {
                  readonly type: "json_schema";
                  readonly json_schema: {
                    readonly name: string;
                    readonly description?: string | undefined;
                    readonly schema: {
                      readonly [name: string]: unknown;
                    };
                    readonly strict?: boolean | undefined;
                  };
                }
              | undefined;
            /** Defaults for voice_config. */
            readonly voice?:
              | {
                  readonly [name: string]: unknown;
                }
              | undefined;
            /** What becomes of a message for a session that is still answering. `merge`: messages that wait are answered together; `steer`: the running reply takes it in at its next step. */
            readonly on_busy?:
              | "enqueue"
              | "reject"
              | "interrupt"
              | "rollback"
              | "merge"
              | "steer"
              | undefined;
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly response_format?:
        | {
            readonly type: "text" | "json_object";
          }
        | {
            readonly type: "json_schema";
            readonly json_schema: {
              readonly name: string;
              readonly description?: string | undefined;
              readonly schema: {
                readonly [name: string]: unknown;
              };
              readonly strict?: boolean | undefined;
            };
          }
        | null
        | undefined;
      readonly context?:
        | {
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly metadata?:
        | {
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly attachments?:
        | readonly {
            readonly name: string;
            /** Parameters are dropped; images are told by their bytes, whatever this says. */
            readonly media_type: string;
            /** The bytes, Base64. */
            readonly data: string;
          }[]
        | null
        | undefined;
    };
    readonly answer: Message;
  };
  /** Follow a reply that runs or has ended */
  "GET /chat/message/{message_id}/stream": {
    readonly query: {
      readonly user_id?: string | undefined;
      /** Id of the last event seen; 0 or nothing: from the start. */
      readonly after?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: never;
  };
  /** Stop a reply, on whatever node it runs */
  "POST /chat/message/{message_id}/cancel": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: Message;
  };
  /** Go on with a paused reply, as a stream */
  "POST /chat/message/{message_id}/continue": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: {
      readonly decisions: readonly {
        readonly id: string;
        readonly approved: boolean;
        readonly note?: string | undefined;
        readonly result?: unknown;
      }[];
    };
    readonly answer: never;
  };
  /** Ask again: another reply to the same message, beside the one that is there */
  "POST /chat/message/{message_id}/regenerate": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: {
      readonly agent_id?: string | null | undefined;
      readonly model?: string | undefined;
      readonly temperature?: number | undefined;
      /** Extra system text. */
      readonly instructions?: string | undefined;
      /** What becomes of it while the session is still answering. */
      readonly on_busy?: "enqueue" | "reject" | "interrupt" | "rollback" | undefined;
      readonly voice_config?:
        | {
            readonly enable_tts?: boolean | undefined;
            /** Speech sentence by sentence while the text is being written. */
            readonly stream_audio?: boolean | undefined;
            readonly voice?: string | undefined;
            readonly format?: string | undefined;
            readonly speed?: number | undefined;
          }
        | null
        | undefined;
    };
    readonly answer: Answer | Accepted;
  };
  /** Say it otherwise: a message beside the user's message that is there, and its reply */
  "POST /chat/message/{message_id}/edit": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: {
      readonly message: string;
      readonly message_type?: "text" | "voice" | undefined;
      readonly voice_config?:
        | {
            readonly enable_tts?: boolean | undefined;
            /** Speech sentence by sentence while the text is being written. */
            readonly stream_audio?: boolean | undefined;
            readonly voice?: string | undefined;
            readonly format?: string | undefined;
            readonly speed?: number | undefined;
          }
        | null
        | undefined;
      readonly agent_id?: string | null | undefined;
      readonly session_config?:
        | {
            readonly title?: string | undefined;
            /** One of GET /chat/models, if the agent lets it be chosen. */
            readonly model?: string | undefined;
            readonly temperature?: number | undefined;
            /** Extra system text. */
            readonly instructions?: string | undefined;
            /** Of a reply. This and what follows are refused where the agent cannot be told. */
            readonly max_tokens?: number | undefined;
            readonly top_p?: number | undefined;
            readonly stop?: string | readonly string[] | undefined;
            readonly seed?: number | undefined;
            readonly presence_penalty?: number | undefined;
            readonly frequency_penalty?: number | undefined;
            readonly reasoning_effort?: string | undefined;
            /** For agents that can: the form in which the model is to answer. The text is in `content`, what it says in `output`. */
            readonly response_format?:
              | {
                  readonly type: "text" | "json_object";
                }
              | {
                  readonly type: "json_schema";
                  readonly json_schema: {
                    readonly name: string;
                    readonly description?: string | undefined;
                    readonly schema: {
                      readonly [name: string]: unknown;
                    };
                    readonly strict?: boolean | undefined;
                  };
                }
              | undefined;
            /** Defaults for voice_config. */
            readonly voice?:
              | {
                  readonly [name: string]: unknown;
                }
              | undefined;
            /** What becomes of a message for a session that is still answering. `merge`: messages that wait are answered together; `steer`: the running reply takes it in at its next step. */
            readonly on_busy?:
              | "enqueue"
              | "reject"
              | "interrupt"
              | "rollback"
              | "merge"
              | "steer"
              | undefined;
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly response_format?:
        | {
            readonly type: "text" | "json_object";
          }
        | {
            readonly type: "json_schema";
            readonly json_schema: {
              readonly name: string;
              readonly description?: string | undefined;
              readonly schema: {
                readonly [name: string]: unknown;
              };
              readonly strict?: boolean | undefined;
            };
          }
        | null
        | undefined;
      readonly context?:
        | {
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly metadata?:
        | {
            readonly [name: string]: unknown;
          }
        | null
        | undefined;
      readonly attachments?:
        | readonly {
            readonly name: string;
            /** Parameters are dropped; images are told by their bytes, whatever this says. */
            readonly media_type: string;
            /** The bytes, Base64. */
            readonly data: string;
          }[]
        | null
        | undefined;
      /** What becomes of it while the session is still answering. */
      readonly on_busy?: "enqueue" | "reject" | "interrupt" | "rollback" | undefined;
    };
    readonly answer: Answer | Accepted;
  };
  /** Send a spoken message */
  "POST /chat/voice": {
    readonly query: object;
    readonly body: {
      /** wav, mp3, m4a/mp4, aac, ogg, webm, flac, amr, caf, aiff, mp2 or wma, told by its content; up to ten minutes. */
      readonly audio_file: string;
      /** Without one a session is made for user_id. */
      readonly session_id?: string | undefined;
      /** In auth.mode open. */
      readonly user_id?: string | undefined;
      /** Told by the content in any case. */
      readonly audio_format?: string | undefined;
      readonly enable_tts?: boolean | undefined;
      readonly stream_audio?: boolean | undefined;
      readonly voice?: string | undefined;
      /** Of the reply's speech; a wish. */
      readonly format?: "wav" | "mp3" | "opus" | "aac" | "flac" | "pcm" | undefined;
      readonly speed?: number | undefined;
      /** Spoken in the recording, such as en or zh. */
      readonly language?: string | undefined;
      /** For this turn only. */
      readonly agent_id?: string | undefined;
      readonly on_busy?:
        | "enqueue"
        | "reject"
        | "interrupt"
        | "rollback"
        | "merge"
        | "steer"
        | undefined;
      readonly stream?: boolean | undefined;
    };
    readonly answer: Answer | Accepted;
  };
  /** Voices to choose from, and what speech can do here */
  "GET /chat/voices": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly voices: readonly {
        readonly id: string;
        readonly name: string;
        readonly language: string | null;
      }[];
      readonly default: string | null;
      readonly formats: readonly string[];
      readonly transcription: {
        readonly enabled: boolean;
        readonly providers: readonly string[];
        readonly languages: readonly string[] | "any";
      };
      readonly synthesis: {
        readonly enabled: boolean;
        readonly providers: readonly string[];
        readonly languages: readonly string[] | "any";
      };
    };
  };
  /** Speech of a text, sent as it is made */
  "POST /chat/voice/synthesize": {
    readonly query: object;
    readonly body: {
      readonly text: string;
      readonly voice?: string | null | undefined;
      readonly format?: string | null | undefined;
      readonly speed?: number | null | undefined;
    };
    readonly answer: never;
  };
  /** Sound of a message */
  "GET /chat/audio/{audio_id}": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: never;
  };
  /** The text of a recording */
  "POST /chat/voice/transcribe": {
    readonly query: object;
    readonly body: {
      /** wav, mp3, m4a/mp4, aac, ogg, webm, flac, amr, caf, aiff, mp2 or wma, told by its content; up to ten minutes. */
      readonly audio_file: string;
      readonly language?: string | undefined;
      /** In auth.mode open: who is speaking. */
      readonly user_id?: string | undefined;
    };
    readonly answer: {
      readonly success: true;
      readonly text: string;
      readonly language: string | null;
      readonly duration_ms: number;
    };
  };
  /** What the WebSocket takes and sends */
  "GET /chat/ws/info": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly websocket_enabled: true;
      readonly websocket_path: string;
      readonly client_messages: {
        readonly [name: string]: string;
      };
      readonly server_messages: readonly string[];
      readonly supported_features: readonly string[];
    };
  };
  /** The bytes of a file that came with a message */
  "GET /chat/attachments/{attachment_id}": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: never;
  };
  /** Search all conversations of a user, newest first */
  "GET /chat/search": {
    readonly query: {
      /** Words that all occur, in any order and any language; `"…"` is a phrase, and the last word may be the beginning of one. */
      readonly q: string | undefined;
      readonly user_id?: string | undefined;
      readonly session_id?: string | undefined;
      readonly agent_id?: string | undefined;
      readonly role?: "user" | "assistant" | "system" | undefined;
      readonly since?: string | undefined;
      readonly until?: string | undefined;
      /** Of the session. */
      readonly status?: "active" | "archived" | undefined;
      readonly limit?: number | undefined;
      readonly cursor?: string | undefined;
      /** Whether to count as well. */
      readonly total?: boolean | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly hits: readonly {
        readonly message_id: string | null;
        readonly session_id: string;
        readonly session_title: string | null;
        readonly session_status: string;
        readonly role: string | null;
        readonly agent_id: string;
        readonly timestamp: string;
        /** Whether the conversation shows it now. */
        readonly in_active_path: boolean;
        /** At most 200 UTF-16 units around the first match. */
        readonly snippet: string;
        /** Beginnings and ends in the snippet, in UTF-16 units. */
        readonly matches: readonly (readonly number[])[];
      }[];
      readonly pagination: {
        readonly limit: number;
        /** A page may be short, and even empty, and have more behind it: so much is looked at for one. */
        readonly has_more: boolean;
        readonly next_cursor: string | null;
        /** With `total=true`: counted to 1000; of more, "1000+". */
        readonly total?: number | string | undefined;
      };
    };
  };
  /** What waits in a session, in its order */
  "GET /sessions/{session_id}/queue": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly messages: readonly Message[];
    };
  };
  /** The messages of a session, oldest first */
  "GET /chat/history/{session_id}": {
    readonly query: {
      readonly user_id?: string | undefined;
      readonly limit?: number | undefined;
      /** From the oldest. */
      readonly offset?: number | undefined;
      /** Id of a message: the path through it. `all`: every message, in the order in which they were accepted. Absent: the active path. */
      readonly path?: string | undefined;
      readonly cursor?: string | undefined;
      /** Messages before this one. */
      readonly before?: string | undefined;
      /** Messages after this one. */
      readonly after?: string | undefined;
      /** Messages around this one. */
      readonly around?: string | undefined;
      readonly role?: "user" | "assistant" | "system" | undefined;
      readonly agent_id?: string | undefined;
      readonly since?: string | undefined;
      readonly until?: string | undefined;
      /** Words that occur, in any language; `"…"` is a phrase, and the last word may be the beginning of one. `total` is then counted to 1,000. */
      readonly q?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly session_id: string;
      readonly messages: readonly Message[];
      readonly pagination: Pagination;
      readonly session_info: SessionInfo;
    };
  };
  /** Say what one thinks of a reply */
  "PUT /chat/message/{message_id}/feedback": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: {
      readonly rating: "up" | "down" | null;
      readonly tags?: readonly string[] | undefined;
      readonly comment?: string | null | undefined;
    };
    readonly answer: Message;
  };
  /** What users think of replies, newest first (admin) */
  "GET /feedback": {
    readonly query: {
      readonly agent_id?: string | undefined;
      readonly rating?: "up" | "down" | undefined;
      readonly since?: string | undefined;
      readonly cursor?: string | undefined;
      /** 50 where nothing is said; of JSON Lines: all there is. */
      readonly limit?: number | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly feedback: readonly {
        readonly message_id: string;
        readonly session_id: string;
        readonly user_id: string;
        readonly agent_id: string;
        readonly model: string | null;
        readonly rating: "up" | "down";
        readonly tags: readonly string[];
        readonly comment: string | null;
        readonly timestamp: string;
        readonly question: string | null;
        readonly answer: string;
      }[];
      readonly pagination: {
        readonly limit: number;
        readonly has_more: boolean;
        readonly next_cursor: string | null;
      };
    };
  };
  /** A conversation as a file */
  "GET /sessions/{session_id}/export": {
    readonly query: {
      readonly user_id?: string | undefined;
      readonly format?: "json" | "markdown" | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly format: "chat-service";
      readonly version: 1;
      readonly exported_at: string;
      readonly session: SessionInfo;
      /** Of all branches, each behind its parent. */
      readonly messages: readonly {
        readonly message_id: string;
        readonly session_id: string;
        readonly parent_id: string | null;
        readonly role: "user" | "assistant" | "system";
        readonly content: string;
        readonly timestamp: string;
        readonly agent_id: string;
        readonly status:
          | "queued"
          | "streaming"
          | "paused"
          | "complete"
          | "cancelled"
          | "interrupted"
          | "failed";
        readonly metadata: {
          readonly [name: string]: unknown;
        };
        /** Of an assistant message: the user's message. */
        readonly reply_to?: string | undefined;
        /** Where there are others of this role below the same parent: all of them. */
        readonly siblings?:
          | {
              readonly ids: readonly string[];
              readonly index: number;
            }
          | undefined;
        readonly usage?:
          | {
              readonly input_tokens: number;
              readonly output_tokens: number;
            }
          | null
          | undefined;
        /** How much of the conversation the reply's model was sent, where that is known. */
        readonly context?:
          | {
              /** Earlier ones and the new one. */
              readonly messages: number;
              readonly estimated_tokens: number;
              /** Earlier messages that did not fit. */
              readonly dropped: number;
              /** Earlier messages that a summary stood for. */
              readonly summarised?: number | undefined;
            }
          | undefined;
        /** Where `response_format` asked for JSON: the reply as a value; null with `output_error` where it is none. */
        readonly output?: unknown;
        /** Why `output` is null; the text is in the reply all the same. `incomplete`: an output limit cut it; `refused`: the model or its provider's filter declined; `too_deep`: deeper than 64 levels; `schema_mismatch`: it is JSON, but not as the schema wants it. With `schema_unchecked` alone `output` is there: the schema has a pattern or a shape with which it could not be checked, or not in 200 ms. */
        readonly output_error?:
          | "not_json"
          | "not_an_object"
          | "too_deep"
          | "schema_mismatch"
          | "schema_unchecked"
          | "incomplete"
          | "refused"
          | undefined;
        readonly finish_reason?: string | null | undefined;
        readonly reasoning?: string | undefined;
        readonly tool_calls?:
          | readonly {
              readonly [name: string]: unknown;
            }[]
          | undefined;
        readonly media?:
          | readonly {
              readonly [name: string]: unknown;
            }[]
          | undefined;
        /** Messages of the user that the reply has taken in while it was made. */
        readonly steered?:
          | readonly {
              /** Of the user's message. */
              readonly message_id: string;
              /** Where it came in the reply's text, in UTF-16 units. */
              readonly text_start: number;
            }[]
          | undefined;
        readonly sources?:
          | readonly {
              readonly title?: string | undefined;
              /** `http` or `https`. */
              readonly url?: string | undefined;
              /** The beginning of what of it was used. */
              readonly excerpt?: string | undefined;
            }[]
          | undefined;
        /** What the user might say next. */
        readonly suggestions?: readonly string[] | undefined;
        /** What the agent has set itself to do. */
        readonly tasks?:
          | readonly {
              readonly id: string;
              readonly title: string;
              readonly status: "pending" | "in_progress" | "completed" | "failed" | "blocked";
              /** A member's id. */
              readonly assignee?: string | undefined;
            }[]
          | undefined;
        /** As the events `agent_custom`. */
        readonly custom_events?:
          | readonly {
              readonly name: string;
              /** In the author's own form; absent where it is above 8 KiB. */
              readonly data?:
                | {
                    readonly [name: string]: unknown;
                  }
                | undefined;
              readonly agent_id: string;
            }[]
          | undefined;
        /** The model that has written it, where its source says so. */
        readonly model?: string | undefined;
        readonly audio?:
          | {
              readonly [name: string]: unknown;
            }
          | undefined;
        /** Of a spoken reply that was interrupted: what follows `content` and nobody heard. */
        readonly unspoken?: string | undefined;
        readonly requirements?:
          | readonly {
              readonly id: string;
              readonly kind: "confirm" | "input" | "external";
              readonly tool: string;
              readonly arguments: {
                readonly [name: string]: unknown;
              };
            }[]
          | undefined;
        /** Of a user's message that was the answer to what this paused reply had asked: it has no reply of its own. */
        readonly answers?:
          | {
              readonly message_id: string;
              readonly decisions: readonly {
                readonly id: string;
                readonly approved: boolean;
                readonly note?: string | undefined;
                readonly result?: unknown;
              }[];
            }
          | undefined;
        readonly feedback?:
          | {
              readonly rating: "up" | "down";
              readonly tags: readonly string[];
              readonly comment: string | null;
              readonly timestamp: string;
            }
          | undefined;
        readonly error?:
          | {
              readonly type: string;
              readonly code: number;
              readonly message: string;
            }
          | undefined;
        readonly output_format?: string | undefined;
        readonly attachments?:
          | readonly {
              readonly attachment_id: string;
              readonly name: string;
              readonly media_type: string;
              /** Bytes. */
              readonly size: number;
              readonly data: string | null;
            }[]
          | undefined;
      }[];
    };
  };
  /** All conversations of a user as JSON Lines */
  "GET /export": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: never;
  };
  /** Share a conversation: a link to the active path as it is now */
  "POST /sessions/{session_id}/share": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: {
      /** Seconds from now on that the link works. */
      readonly expires_in?: number | undefined;
      /** Whoever has the link gets the files that came with the messages too. */
      readonly include_files?: boolean | undefined;
    };
    readonly answer: {
      readonly success: true;
      readonly share_id: string;
      /** Whole where `server.public_url` is set, else a path of this service. */
      readonly url: string;
      readonly expires_at: string;
    };
  };
  /** The links to a conversation, the newest first */
  "GET /sessions/{session_id}/share": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly shares: readonly {
        readonly share_id: string;
        /** Whole where `server.public_url` is set, else a path of this service. */
        readonly url: string;
        readonly expires_at: string;
        readonly created_at: string;
        readonly include_files: boolean;
      }[];
    };
  };
  /** End a link */
  "DELETE /sessions/{session_id}/share/{share_id}": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly message: string;
      readonly share_id: string;
    };
  };
  /** Import conversations from a file */
  "POST /import": {
    readonly query: {
      readonly user_id?: string | undefined;
    };
    readonly body: {
      readonly file: string;
    };
    readonly answer: {
      /** Whether none of them failed. */
      readonly success: boolean;
      readonly imported: number;
      /** Were there, and have got what was new. */
      readonly updated: number;
      /** Were there as they are in the file. */
      readonly skipped: number;
      readonly failed: number;
      /** The first 10,000. */
      readonly conversations: readonly {
        readonly source_id: string | null;
        readonly source: string | null;
        readonly session_id: string | null;
        readonly title: string | null;
        /** Stored now. */
        readonly messages: number;
        readonly status: "imported" | "updated" | "skipped" | "failed";
        readonly error?: string | undefined;
      }[];
    };
  };
  /** The agents, teams and workflows there are */
  "GET /chat/agents": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly agents: readonly Agent[];
      readonly count: number;
    };
  };
  /** The models that a session may choose */
  "GET /chat/models": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly success: true;
      readonly models: readonly {
        readonly id: string;
        readonly name: string;
        readonly provider: string;
        /** False: it embeds, hears, draws, …, as far as its name and its source tell. */
        readonly can_chat: boolean;
      }[];
      readonly count: number;
    };
  };
  /** Whether the process serves requests */
  "GET /health": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly status: "healthy";
      readonly service: string;
      readonly version: string;
      readonly timestamp: string;
    };
  };
  /** Whether the process should be left running */
  "GET /health/liveness": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly alive: boolean;
      readonly timestamp: string;
      readonly uptime_seconds: number;
    };
  };
  /** Whether requests should be sent to this node */
  "GET /health/readiness": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly ready: boolean;
      readonly timestamp: string;
      readonly checks: {
        /** The database answers. */
        readonly database: boolean;
        /** Redis answers, or is not used. Does not count. */
        readonly cache: boolean;
        /** Some source of agents answers. Does not count. */
        readonly agents: boolean;
        /** The database has this version's tables. */
        readonly migrations: boolean;
        /** The node is shutting down. */
        readonly draining: boolean;
      };
    };
  };
  /** How the service's parts and dependencies are doing */
  "GET /health/detailed": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly status: "healthy" | "unhealthy" | "degraded";
      readonly service: string;
      readonly version: string;
      readonly timestamp: string;
      readonly uptime_seconds: number;
      readonly components: {
        readonly [name: string]: {
          readonly status: "healthy" | "unhealthy";
          readonly details: {
            readonly [name: string]: unknown;
          };
        };
      };
      /** `database`, `redis`, each source of agents (`models`, `agno`, `builtin`, …), `voice`, `gateway`, `base_service`; what is not configured is `disabled`. */
      readonly dependencies: {
        readonly [name: string]: {
          readonly status: "healthy" | "unhealthy" | "disabled";
          readonly latency_ms: number | null;
          readonly details: {
            readonly [name: string]: unknown;
          };
        };
      };
    };
  };
  /** What a client may do and how much of it */
  "GET /health/config": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly service: string;
      readonly version: string;
      readonly timestamp: string;
      readonly environment: string;
      readonly features: {
        readonly [name: string]: boolean | string;
      };
      readonly limits: {
        readonly [name: string]: number | null;
      };
    };
  };
  /** The metrics as JSON: totals, and rates and percentiles of the last minutes */
  "GET /health/metrics": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly service: string;
      readonly version: string;
      readonly timestamp: string;
      readonly uptime_seconds: number;
      readonly window_seconds: number;
      readonly sessions: {
        readonly total: number;
        readonly total_active: number;
        readonly by_status: {
          readonly [name: string]: number;
        };
        readonly by_agent: {
          readonly [name: string]: number;
        };
      };
      readonly messages: {
        readonly [name: string]: unknown;
      };
      readonly replies: {
        readonly [name: string]: unknown;
      };
      readonly requests: {
        readonly [name: string]: unknown;
      };
      readonly errors: {
        readonly [name: string]: unknown;
      };
      readonly tokens: {
        readonly [name: string]: unknown;
      };
      readonly latency_ms: {
        readonly request: {
          readonly count: number;
          readonly p50: number | null;
          readonly p90: number | null;
          readonly p95: number | null;
          readonly p99: number | null;
        };
        readonly reply: {
          readonly count: number;
          readonly p50: number | null;
          readonly p90: number | null;
          readonly p95: number | null;
          readonly p99: number | null;
        };
        readonly time_to_first_token: {
          readonly count: number;
          readonly p50: number | null;
          readonly p90: number | null;
          readonly p95: number | null;
          readonly p99: number | null;
        };
      };
      readonly viewers: number;
      readonly system: {
        readonly [name: string]: unknown;
      };
    };
  };
  /** What the service can do, and where */
  "GET /info": {
    readonly query: object;
    readonly body: undefined;
    readonly answer: {
      readonly service: {
        readonly name: string;
        readonly version: string;
        readonly environment: string;
        readonly description: string;
      };
      readonly features: {
        readonly [name: string]: boolean | string;
      };
      readonly endpoints: {
        readonly [name: string]: {
          readonly [name: string]: string;
        };
      };
      readonly links: {
        readonly [name: string]: string | null;
      };
      readonly timestamp: string;
    };
  };
}
