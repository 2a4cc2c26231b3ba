import type { Language } from "../problems/catalogue.ts";
import type { Problem } from "../problems/problem.ts";

/** A text that people read: one string, or one for each language. */
export type LocalizedText = string | Readonly<Record<Language, string>>;

/** One agent, team or workflow that a conversation can be held with. */
export interface AgentDescriptor {
  /** Unique within its backend; the catalogue sees to uniqueness across backends. */
  readonly agentId: string;
  readonly name: LocalizedText;
  readonly description: LocalizedText;
  readonly type: "agent" | "team" | "workflow";
  readonly model: string | null;
  /** Names of tools, and of agents it may hand over to. */
  readonly tools: readonly string[];
  /** What one might ask it first, in the user's words; absent: nothing of its own. */
  readonly prompts?: readonly string[];
  /**
   * Shown to callers as it is; no addresses, no credentials. `attachments` lists the media types that it takes, such
   * as `image/png`: images that are not in it are refused; none in it: no files at all; absent: whatever its source
   * makes of them.
   */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** False: what its replies ask is decided by buttons alone. Absent: by a message too, where the service takes that. */
  readonly answersInWords?: boolean;
  /** False while it is known but could not answer, such as when the source of its model is away. Absent: true. */
  readonly isAvailable?: boolean;
}

/** Something a person has to decide before a paused run can go on. */
export interface Requirement {
  readonly id: string;
  readonly kind: "confirm" | "input" | "external";
  /** Name of the tool (or of the workflow step) that waits. */
  readonly tool: string;
  /** For `input`: the fields asked for, as `{fields: [{name, type, description}]}` beside the known arguments. */
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** A person's answer to one requirement. */
export interface Decision {
  readonly id: string;
  readonly approved: boolean;
  readonly note?: string;
  /** `input`: the values by field name; `external`: what the tool would have returned. */
  readonly result?: unknown;
}

/** An image, sound or document that came with the user's message. */
export interface Attachment {
  readonly name: string;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** A file that came with an earlier message. */
export interface HistoryFile {
  readonly id: string;
  readonly name: string;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
}

/** An earlier message of the session, oldest first when in a list. */
export interface HistoryMessage {
  readonly role: "user" | "assistant" | "system";
  readonly content: string;
  readonly agentId: string | null;
  /** Its place in the conversation, from 1. */
  readonly seq?: number;
  readonly files?: readonly HistoryFile[];
  /** Of a reply that an agent of the same source made in the same line of the conversation: it may remember it. */
  readonly own?: OwnReply;
  /** What was said up to `seq`, in few words. */
  readonly isSummary?: boolean;
}

export interface OwnReply {
  /** As in the backend's own list. */
  readonly agentId: string;
  readonly status: "complete" | "cancelled" | "interrupted";
  /** How many of the messages before the user's were told with it (`SentContext`). */
  readonly told: number;
}

/**
 * What an agent says and does, in order. Exactly one of `paused` and `finish` comes last; a generator that returns
 * without either was cut off. Texts are deltas; empty ones are allowed and ignored.
 */
export type AgentEvent =
  /** The next piece of the reply. */
  | { readonly type: "text"; readonly text: string }
  /** The reply so far is superseded by this whole text (a server-side fallback model took over, an output was rewritten). */
  | { readonly type: "replace"; readonly text: string }
  /** Thinking, not part of the reply. */
  | { readonly type: "reasoning"; readonly text: string; readonly agentId?: string }
  | {
      readonly type: "tool";
      readonly toolCallId: string;
      readonly name: string;
      readonly status: "started" | "completed" | "failed";
      readonly arguments?: unknown;
      readonly result?: unknown;
      /** Who uses it, when that is not the agent addressed. */
      readonly agentId?: string;
    }
  | {
      readonly type: "agent";
      readonly event:
        | "member_started"
        | "member_completed"
        | "member_failed"
        | "step_started"
        | "step_completed"
        | "step_failed"
        /** A step says how far it is, in `detail`. */
        | "step_progress"
        | "handoff"
        /** A workflow has chosen how it goes on: `branches`. */
        | "branch_taken"
        /** A loop begins again: `iteration`. */
        | "iteration_started"
        /** The agent has noted something about the user: `detail`. */
        | "memory_updated"
        /** From here on the model is sent less of what was said before: `messages` were made fewer. */
        | "context_compacted";
      readonly agentId: string;
      readonly name: string;
      readonly parentAgentId?: string;
      /** What the member or step produced; detail, never part of the reply. */
      readonly detail?: string;
      /** Names of steps; of a condition `if` or `else`. */
      readonly branches?: readonly string[];
      /** From 1. */
      readonly iteration?: number;
      readonly maxIterations?: number;
      readonly messages?: number;
    }
  /** Adds to what the reply has used so far. Nothing but a model: it was asked, what it used it tells later or never. */
  | {
      readonly type: "usage";
      readonly inputTokens: number;
      readonly outputTokens: number;
      /** Of the input, read from a cache; absent: not known. */
      readonly cachedTokens?: number;
      /** Of the output; absent: not known. */
      readonly reasoningTokens?: number;
      /** Absent: not known. */
      readonly model?: string;
    }
  /** What of the conversation the agent's model was sent; the last one counts. */
  | { readonly type: "context"; readonly context: SentContext }
  /** Media that the agent produced, as bytes: kept with the reply where there is room for them. */
  | {
      readonly type: "file";
      readonly kind: string;
      readonly file: Attachment;
      readonly agentId?: string;
    }
  /** Media that the agent produced, by reference. */
  | {
      readonly type: "media";
      readonly kind: string;
      readonly url: string;
      readonly name?: string;
      /** Who produced it, when that is not the agent addressed. */
      readonly agentId?: string;
    }
  /** What the reply rests on; those told before may be told again. */
  | {
      readonly type: "sources";
      readonly sources: readonly AgentSource[];
      /** Who used them, when that is not the agent addressed. */
      readonly agentId?: string;
    }
  /** What the user might say next, in the user's words; the last ones count. */
  | { readonly type: "suggestions"; readonly suggestions: readonly string[] }
  /** What the agent has set itself to do: those that are new or changed; others stay as they are. */
  | {
      readonly type: "tasks";
      readonly tasks: readonly AgentTask[];
      readonly agentId?: string;
    }
  /** What the agent's author wants clients to know, in a form of the author's own; may be told again. */
  | {
      readonly type: "custom";
      readonly name: string;
      /** JSON. */
      readonly data: Readonly<Record<string, unknown>>;
      readonly agentId?: string;
    }
  /**
   * Opaque JSON that `resume` needs to take this run up again; the latest one counts. It stands for exactly the events
   * before it: store it together with the text up to here, or text is lost or doubled.
   */
  | { readonly type: "resumable"; readonly state: Readonly<Record<string, unknown>> }
  /** A person must decide; `state` is what `continue` needs, opaque JSON. */
  | {
      readonly type: "paused";
      readonly requirements: readonly Requirement[];
      readonly state: Readonly<Record<string, unknown>>;
    }
  | { readonly type: "finish"; readonly reason: string };

/** A page or a document that an answer rests on: at least one of the members. */
export interface AgentSource {
  readonly title?: string;
  /** Of a page; anything but `http` and `https` is left out. */
  readonly url?: string;
  /** What of it was used. */
  readonly excerpt?: string;
}

export const taskStatuses = ["pending", "in_progress", "completed", "failed", "blocked"] as const;

export interface AgentTask {
  /** Unique in the conversation. */
  readonly id: string;
  readonly title: string;
  readonly status: (typeof taskStatuses)[number];
  /** Who does it, as an id of a member. */
  readonly assignee?: string;
}

/** How much of a conversation was sent to a model. */
export interface SentContext {
  /** Earlier ones and the new one. */
  readonly messages: number;
  readonly estimatedTokens: number;
  /** Earlier ones that did not fit, and that no summary covers. */
  readonly dropped: number;
  /** Earlier ones in whose place a summary was sent; absent: its source has no use for summaries. */
  readonly summarised?: number;
}

/**
 * Choices of the session or of this turn. Those that a backend does not name in `settings` never reach it, or are
 * model, temperature and instructions, which it then does without.
 */
export interface RunSettings {
  readonly model?: string;
  readonly temperature?: number;
  /** Extra system text. */
  readonly instructions?: string;
  /** Tokens of the answer at most. */
  readonly maxTokens?: number;
  readonly topP?: number;
  readonly stop?: string | readonly string[];
  readonly seed?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly reasoningEffort?: string;
  readonly responseFormat?: ResponseFormat;
}

/** The form that a whole reply is to have; without a schema any JSON object. */
export type ResponseFormat =
  | { readonly type: "text" }
  | { readonly type: "json_object" }
  | {
      readonly type: "json_schema";
      readonly json_schema: {
        readonly name: string;
        readonly description?: string;
        readonly schema: Readonly<Record<string, unknown>>;
        readonly strict?: boolean;
      };
    };

export interface HistoryBounds {
  readonly messages?: number;
  /** Text in UTF-8; the message that reaches it is the last one. */
  readonly maxBytes?: number;
  /** Where there is a summary it comes first, in place of the messages that it covers. */
  readonly withSummary?: boolean;
}

/** A text that the service wants of a model for itself, such as a title. */
export interface WritingRequest {
  /** Whose model; null: the default one. */
  readonly agentId: string | null;
  /** As `RunSettings.model`; absent: that of the agent. */
  readonly model?: string;
  readonly userId: string;
  /** Unique to this call. */
  readonly requestId: string;
  readonly instructions: string;
  /** In their order: as many of the first ones as the model has room for, the last of these perhaps cut; one at least. */
  readonly pieces: readonly string[];
  /** In UTF-16 units: what goes on longer is cut off. */
  readonly maxLength: number;
}

export interface Written {
  readonly text: string;
  /** How many of the pieces the model was shown. */
  readonly pieces: number;
  readonly model: string;
  /** Null: the model has not told. */
  readonly usage: {
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly cachedTokens?: number;
    readonly reasoningTokens?: number;
  } | null;
}

/** What the user has said while a run was under way. */
export interface SteeringMessage {
  readonly message: string;
  readonly attachments: readonly Attachment[];
}

export interface RunRequest {
  /** The reply's `message_id`; also the idempotency key towards the agent. */
  readonly replyId: string;
  /** 1, 2, … A later attempt of the same reply has a higher number. */
  readonly attempt: number;
  readonly sessionId: string;
  /** The reply's number in the session, ascending but not without gaps … */
  readonly seq: number;
  /** … and that of the message which the user's one follows; 0: none. */
  readonly after: number;
  /**
   * Given where the conversation has branches: under this name an agent that remembers by itself may remember what
   * belongs to this line of it. Of what came before that line it has to be told; else it is the session's id.
   */
  readonly thread?: string;
  readonly userId: string;
  /** The caller's bearer token, where the identity mode has one and it is still at hand. */
  readonly userToken?: string;
  /** As in the backend's own list (`AgentDescriptor.agentId`). */
  readonly agentId: string;
  /** Given to a reply that goes on, or is taken up, after a pause: what has been decided about that. */
  readonly decisions?: readonly Decision[];
  /** The user's message of this turn; not part of `history`. */
  readonly message: string;
  readonly attachments: readonly Attachment[];
  /** Free-form context of the caller (`context` of the request). */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly settings: RunSettings;
  readonly language: Language;
  /** Sent upstream as `X-Request-ID` and `traceparent`. */
  readonly requestId: string;
  readonly traceparent?: string;
  /**
   * The last messages before this turn, oldest first: as many as are configured and at most until `maxBytes` of text are
   * reached. Costs a query, however long the conversation is; call it only when needed, at most once.
   */
  history(bounds?: HistoryBounds): Promise<readonly HistoryMessage[]>;
  /** The bytes of files of earlier messages, in this order; those that are gone are left out. */
  files?(ids: readonly string[]): Promise<readonly (Attachment & { readonly id: string })[]>;
  /**
   * What the user has said since, for this run to take in, oldest first. To be asked between two steps, such as after
   * tools and before the next call of a model, by agents of which `steers` says so: each message is given once, and is
   * then part of this reply. Never raises for a store that is away.
   */
  steered?(): Promise<readonly SteeringMessage[]>;
  /**
   * What a run says may be told here at the moment of its arrival instead of being yielded: to wait for each of several
   * generators costs more than the token. Only between two steps of the generator, whose events are told by then. A promise
   * where the log is behind: nothing more should be told, or yielded, until it is fulfilled.
   */
  tell?(event: ToldEvent): Promise<void> | undefined;
}

export type ToldEvent = Extract<AgentEvent, { readonly type: "text" | "reasoning" }>;

/** What a probe found out. Everybody may read it: no addresses, no credentials, not the source's own words. */
export interface BackendHealth {
  readonly status: "healthy" | "unhealthy";
  readonly details: Readonly<Record<string, unknown>>;
  /** Given when it, or something that it can do without, is away: one sentence for the operator that names the setting or command that mends it. */
  readonly remedy?: string;
}

/** One thing that an operator would want to know of a source, as `chat-service doctor` tells it. */
export interface BackendFinding {
  /** What was looked at, such as `default model`. */
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  /** One sentence for the operator. */
  readonly found: string;
  /** What mends it; given unless it is ok. */
  readonly remedy?: string;
}

/** Something that agents remember of a user beside conversations. */
export interface Memory {
  /** Opaque; unique in its backend, and safe in an address. */
  readonly id: string;
  readonly text: string;
  readonly topics: readonly string[];
  /** Who may know it, as in the backend's own list. */
  readonly agentIds: readonly string[];
  /** ISO 8601; null: not known. */
  readonly updatedAt: string | null;
}

export interface Memories {
  readonly memories: readonly Memory[];
  /** False: a part of the source could not be asked. */
  readonly isComplete: boolean;
}

export interface Forgotten {
  /** Of those that were there. */
  readonly deleted: number;
  /** False: a part of the source could not be asked, which should be tried again. */
  readonly isComplete: boolean;
}

/** Documents in which agents look things up: all their users share them. */
export interface Knowledge {
  /** Opaque; unique in its backend, and safe in an address. */
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  /** Who looks things up in it, as in the backend's own list. */
  readonly agentIds: readonly string[];
  readonly documents: readonly KnowledgeDocument[];
}

export interface KnowledgeDocument {
  /** Opaque; unique among the documents of its knowledge, and safe in an address. */
  readonly id: string;
  readonly name: string;
  readonly mediaType: string | null;
  /** Bytes; null: not known. */
  readonly size: number | null;
  readonly status: "processing" | "completed" | "partial" | "failed";
  /** ISO 8601; null: not known. */
  readonly updatedAt: string | null;
}

/** A model that a session may choose. */
export interface ModelInfo {
  /** As written in `session_config.model`. */
  readonly id: string;
  readonly name: string;
  readonly provider: string;
  /** False: it makes pictures, hears, embeds, …; as far as its source tells. */
  readonly canChat: boolean;
}

/** The connection to the agent broke after it had begun to answer; what had arrived stays valid. */
export class AgentInterrupted extends Error {
  override readonly name = "AgentInterrupted";
}

/** The source has not taken the decisions: the run waits for them as before. */
export class StillPaused extends Error {
  override readonly name = "StillPaused";
  /** What whoever decided is told. */
  readonly problem: Problem;

  constructor(problem: Problem) {
    super("the decisions were not taken", { cause: problem });
    this.problem = problem;
  }
}

/** Why a run's signal aborts, where its source has to know. */
export class RunStopped extends Error {
  /** The run goes on under another attempt, or shall: its source does not stop it. */
  readonly leavesRun: boolean;

  constructor(reason: string, leavesRun: boolean) {
    super(reason);
    this.leavesRun = leavesRun;
  }
}

/** Whether nothing but the connection ends with this signal's abort. */
export function leavesRun(signal: AbortSignal): boolean {
  return signal.reason instanceof RunStopped && signal.reason.leavesRun;
}

/**
 * A source of agents. It only produces events: it knows nothing of HTTP towards clients, of storage or speech.
 *
 * All generators end promptly when `signal` aborts (they return or throw the abort reason) and then also stop the run
 * at its source, unless `leavesRun` says that it goes on elsewhere. Faults are raised as `agent_failed`, `agent_unavailable` or `agent_timeout` problems, or as
 * `AgentInterrupted` when the connection breaks after the first event; an upstream's own error text goes into `cause`,
 * never into the problem's message. Time-outs for connecting, for headers, for the first event and between events are
 * the backend's; the limit for the whole reply is the caller's. Memory per run is bounded whatever the upstream sends.
 */
export interface AgentBackend {
  /**
   * Its name in the API, in health, metrics and the log, and before ids that another backend has too: a short
   * lower-case word, always the same, of no other backend or dependency.
   */
  readonly source: string;
  /** The choices of a session or a turn that its agents honour; absent: none. */
  readonly settings?: readonly (keyof RunSettings)[];
  /** Of those: why this agent of its list cannot keep such a value, in a few words for developers; null: it can. */
  settingFault?(
    agent: AgentDescriptor,
    setting: { readonly name: keyof RunSettings; readonly value: unknown },
  ): string | null;
  /** Whether runs of this agent of its list have steps between which they ask for `steered`. Absent: none do. */
  steers?(agentId: string): boolean;
  /** The agents there are now. Raises `agent_unavailable` when the source cannot be asked, and has told the log. */
  list(signal: AbortSignal): Promise<readonly AgentDescriptor[]>;
  run(request: RunRequest, signal: AbortSignal): AsyncGenerator<AgentEvent, void, void>;
  /** Goes on with a paused run; absent where runs never pause. Raises `StillPaused` when nothing has come of that. */
  continue?(
    request: RunRequest,
    state: Readonly<Record<string, unknown>>,
    decisions: readonly Decision[],
    signal: AbortSignal,
  ): AsyncGenerator<AgentEvent, void, void>;
  /**
   * Takes a run up again after this service or the connection died, from the last `resumable` state: text already
   * delivered is not repeated. Of a state that is still that of a pause, `decisions` may not have arrived, or have: they are
   * made once. Raises `StillPaused` as `continue` does. Absent where runs die with their connection. Raises `AgentInterrupted` when it is too late.
   */
  resume?(
    request: RunRequest,
    state: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): AsyncGenerator<AgentEvent, void, void>;
  /** Ends a run, paused or not, that nobody will go on with. Raises when it should be tried again. */
  abandon?(request: RunRequest, state: Readonly<Record<string, unknown>>): Promise<void>;
  /** The session was deleted here; forget it there. Raises when it should be tried again. */
  forgetSession?(session: {
    readonly sessionId: string;
    readonly userId: string;
    readonly agentIds: readonly string[];
  }): Promise<void>;
  /** What its agents remember of a user; absent where that is nothing. Raises when the source cannot be asked at all. */
  memories?(userId: string, signal: AbortSignal): Promise<Memories>;
  /** Forgets this memory of the user, and nobody else's; null: all. Raises when the source cannot be asked at all. */
  forgetMemories?(userId: string, id: string | null, signal: AbortSignal): Promise<Forgotten>;
  /** What its agents look things up in; absent where that is nothing. Raises when the source cannot be asked at all. */
  knowledge?(
    signal: AbortSignal,
  ): Promise<{ readonly knowledge: readonly Knowledge[]; readonly isComplete: boolean }>;
  /** It is read from then on, which its status tells. Null: there is no such knowledge. */
  addDocument?(
    knowledgeId: string,
    file: Attachment,
    signal: AbortSignal,
  ): Promise<{ readonly id: string; readonly status: KnowledgeDocument["status"] } | null>;
  /** Whether it was there. */
  removeDocument?(knowledgeId: string, documentId: string, signal: AbortSignal): Promise<boolean>;
  /**
   * The models that `RunSettings.model` may name, also while they are not to be had; absent where there is no choice.
   * Raises a problem when that is not known.
   */
  listModels?(signal: AbortSignal): Promise<readonly ModelInfo[]>;
  /** Has a model write something by itself, off the path of any reply. Raises as `run` does. Absent where there is no model. */
  write?(request: WritingRequest, signal: AbortSignal): Promise<Written>;
  /** Bounded by `signal`; never raises for an unreachable source, but says so. */
  probe(signal: AbortSignal): Promise<BackendHealth>;
  /** What else is worth a look while the source is healthy; for the doctor, so it may cost a few requests. */
  examine?(signal: AbortSignal): Promise<readonly BackendFinding[]>;
  /** Releases connections. Running generators were aborted before. May be called twice. */
  close(): Promise<void>;
}

/** An agent under the name that its backend knows it by, which may differ from the one that callers use. */
export interface FoundAgent {
  readonly backend: AgentBackend;
  readonly agentId: string;
}
