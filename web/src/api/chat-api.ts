import { request, requestJson } from "./request.ts";
import { upload } from "./upload.ts";
import type {
  Agent,
  Decision,
  HealthReport,
  Message,
  Metrics,
  Model,
  Pagination,
  Rating,
  Readiness,
  ServiceConfig,
  SessionConfig,
  SessionInfo,
} from "./types.ts";

export interface SessionPage {
  readonly sessions: readonly SessionInfo[];
  readonly pagination: Pagination;
}

export interface HistoryPage {
  readonly messages: readonly Message[];
  readonly pagination: Pagination;
  readonly session_info: SessionInfo;
}

export interface HistoryQuery {
  readonly limit?: number;
  readonly offset?: number;
  readonly before?: string;
  readonly after?: string;
  readonly around?: string;
  readonly q?: string;
  readonly cursor?: string;
}

/** A place where something was found; `message_id` and `role` are null for the title of a conversation. */
export interface SearchHit {
  readonly message_id: string | null;
  readonly session_id: string;
  readonly session_title: string | null;
  readonly role: Message["role"] | null;
  readonly timestamp: string;
  readonly snippet: string;
  readonly matches: readonly (readonly [start: number, end: number])[];
}

interface SearchPage {
  readonly hits: readonly SearchHit[];
  readonly pagination: Pick<Pagination, "has_more" | "next_cursor">;
}

/** A link under which anybody may read a conversation. */
export interface Share {
  readonly share_id: string;
  /** A path of the service where it does not know its own address. */
  readonly url: string;
  readonly expires_at: string;
  readonly include_files: boolean;
}

export type UsageGroup = "day" | "agent" | "model";

export interface UsageSum {
  readonly replies: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cost: number | null;
}

export interface MemoryList {
  readonly memories: readonly {
    readonly memory_id: string;
    readonly memory: string;
    readonly agent_ids: readonly string[];
    readonly updated_at: string | null;
  }[];
  readonly count: number;
  /** False: a server could not be asked. */
  readonly complete: boolean;
}

export interface KnowledgeList {
  readonly knowledge: readonly {
    readonly knowledge_id: string;
    readonly name: string;
    readonly description: string | null;
    readonly agent_ids: readonly string[];
    readonly documents: readonly {
      readonly document_id: string;
      readonly name: string;
      readonly size: number | null;
      readonly status: "processing" | "completed" | "partial" | "failed";
    }[];
  }[];
  /** False: a server could not be asked. */
  readonly complete: boolean;
}

export interface UsageReport {
  readonly rows: readonly (UsageSum & {
    readonly day?: string;
    readonly agent_id?: string;
    readonly model?: string | null;
  })[];
  readonly total: UsageSum;
}

/** What became of a file of conversations. */
export interface ImportResult {
  readonly imported: number;
  readonly updated: number;
  readonly skipped: number;
  readonly failed: number;
  readonly conversations: readonly {
    readonly title: string | null;
    readonly status: "imported" | "updated" | "skipped" | "failed";
    readonly error?: string;
  }[];
}

export interface NewMessage {
  readonly sessionId: string | null;
  readonly text: string;
  /** Of a new session; an existing one has its own. */
  readonly agentId: string | null;
  readonly config: SessionConfig;
  /** Repeats of the same message are recognised by it. */
  readonly key: string;
  readonly voice: object | null;
}

/** A file as messages carry it: `data` is Base64. */
export interface EncodedFile {
  readonly name: string;
  readonly media_type: string;
  readonly data: string;
}

/** Uploading, recognising and speaking take their time. */
const uploadTimeoutMs = 150_000;
/** The service takes no more at once. */
const maxSpokenLength = 4_000;

/** The calls of the API that the page makes; each raises what `request` raises. */
export const chatApi = {
  config: (signal?: AbortSignal) =>
    requestJson<ServiceConfig>("GET", "/health/config", signal && { signal }),

  health: () =>
    requestJson<HealthReport>("GET", "/health/detailed", { timeoutMs: 15_000, isForAll: true }),

  /** Refused with 503 by a node that is not ready. */
  readiness: () => requestJson<Readiness>("GET", "/health/readiness", { timeoutMs: 15_000 }),

  metrics: () =>
    requestJson<Metrics>("GET", "/health/metrics", { timeoutMs: 15_000, isForAll: true }),

  agents: async () => (await requestJson<{ agents: Agent[] }>("GET", "/chat/agents")).agents,

  models: async () => (await requestJson<{ models: Model[] }>("GET", "/chat/models")).models,

  sessions: (query: {
    status: "active" | "archived";
    q?: string | undefined;
    tag?: string | undefined;
    pinned?: "true" | undefined;
    cursor?: string | undefined;
    limit?: number;
  }) =>
    requestJson<SessionPage>("GET", "/sessions", {
      query: { ...query, order: "pinned", limit: query.limit ?? 40 },
      user: "query",
    }),

  /** What happens to the user's sessions after an event; null: from now on. */
  sessionEvents: (after: number | null, signal: AbortSignal) =>
    request("GET", "/sessions/events", {
      headers: {
        Accept: "text/event-stream",
        ...(after !== null && { "Last-Event-ID": String(after) }),
      },
      user: "query",
      signal,
    }),

  session: (sessionId: string, signal?: AbortSignal) =>
    requestJson<SessionInfo>("GET", `/sessions/${encodeURIComponent(sessionId)}`, {
      user: "query",
      ...(signal && { signal }),
    }),

  changeSession: (
    sessionId: string,
    change: {
      title?: string | null;
      status?: "active" | "archived";
      pinned?: boolean;
      tags?: readonly string[];
      agent_id?: string;
      head_message_id?: string;
      config?: SessionConfig;
    },
  ) =>
    requestJson<SessionInfo>("PATCH", `/sessions/${encodeURIComponent(sessionId)}`, {
      user: "query",
      body: change,
    }),

  deleteSession: async (sessionId: string, keepalive = false) => {
    await request("DELETE", `/sessions/${encodeURIComponent(sessionId)}`, {
      user: "query",
      keepalive,
    });
  },

  history: (sessionId: string, query: HistoryQuery, signal?: AbortSignal) =>
    requestJson<HistoryPage>("GET", `/chat/history/${encodeURIComponent(sessionId)}`, {
      query: { ...query },
      user: "query",
      ...(signal && { signal }),
    }),

  /** One conversation, or all of them where none is named. */
  exported: (sessionId: string | null, format: "json" | "markdown") =>
    request(
      "GET",
      sessionId === null ? "/export" : `/sessions/${encodeURIComponent(sessionId)}/export`,
      {
        headers: { Accept: "*/*" },
        query: { ...(sessionId !== null && { format }) },
        user: "query",
        timeoutMs: uploadTimeoutMs,
      },
    ),

  shares: async (sessionId: string, signal?: AbortSignal) =>
    (
      await requestJson<{ shares: Share[] }>(
        "GET",
        `/sessions/${encodeURIComponent(sessionId)}/share`,
        { user: "query", ...(signal && { signal }) },
      )
    ).shares,

  share: (sessionId: string, terms: { expires_in: number; include_files: boolean }) =>
    request("POST", `/sessions/${encodeURIComponent(sessionId)}/share`, {
      user: "query",
      body: terms,
    }),

  endShare: (sessionId: string, shareId: string) =>
    request(
      "DELETE",
      `/sessions/${encodeURIComponent(sessionId)}/share/${encodeURIComponent(shareId)}`,
      { user: "query" },
    ),

  importFile: (file: File, onProgress: (share: number) => void, signal: AbortSignal) =>
    upload<ImportResult>("/import", { file, signal }, onProgress),

  /** Refused where a user has to be named or proved. */
  anybody: () => request("GET", "/sessions", { query: { limit: 1 } }),

  search: (query: { q: string; cursor?: string }, signal?: AbortSignal) =>
    requestJson<SearchPage>("GET", "/chat/search", {
      query: { ...query, limit: 30 },
      user: "query",
      ...(signal && { signal }),
    }),

  message: (messageId: string) =>
    requestJson<Message>("GET", `/chat/message/${encodeURIComponent(messageId)}`, {
      user: "query",
    }),

  rate: (
    messageId: string,
    opinion: { rating: Rating | null; tags?: readonly string[]; comment?: string },
  ) =>
    requestJson<Message>("PUT", `/chat/message/${encodeURIComponent(messageId)}/feedback`, {
      user: "query",
      body: opinion,
    }),

  /** What agents remember of oneself. */
  memories: (signal?: AbortSignal) =>
    requestJson<MemoryList>("GET", "/chat/memories", {
      user: "query",
      ...(signal && { signal }),
    }),

  forgetMemory: (memoryId: string) =>
    request("DELETE", `/chat/memories/${encodeURIComponent(memoryId)}`, { user: "query" }),

  forgetEverything: () =>
    requestJson<{ pending: boolean }>("DELETE", "/chat/memories", { user: "query" }),

  /** What agents look things up in. */
  knowledge: (signal?: AbortSignal) =>
    requestJson<KnowledgeList>("GET", "/chat/knowledge", { ...(signal && { signal }) }),

  addDocument: (knowledgeId: string, document: EncodedFile) =>
    requestJson("POST", `/chat/knowledge/${encodeURIComponent(knowledgeId)}/documents`, {
      body: document,
    }),

  removeDocument: (knowledgeId: string, documentId: string) =>
    request(
      "DELETE",
      `/chat/knowledge/${encodeURIComponent(knowledgeId)}/documents/${encodeURIComponent(documentId)}`,
    ),

  usage: (query: { group_by: UsageGroup; since: string }, signal: AbortSignal) =>
    requestJson<UsageReport>("GET", "/usage", {
      query,
      user: "query",
      signal,
    }),

  send: (message: NewMessage, files: readonly EncodedFile[], signal: AbortSignal) =>
    request("POST", "/chat/message/stream", {
      headers: { Accept: "text/event-stream", "Idempotency-Key": message.key },
      body: {
        session_id: message.sessionId,
        message: message.text,
        ...(message.sessionId === null && {
          agent_id: message.agentId,
          session_config: message.config,
        }),
        ...(message.voice !== null && { voice_config: message.voice }),
        ...(files.length > 0 && { attachments: files }),
      },
      user: "body",
      signal,
      ...(files.length > 0 && { timeoutMs: uploadTimeoutMs }),
    }),

  /** Another reply to the message that this one answers. */
  regenerate: (messageId: string, key: string, voice: object | null, signal: AbortSignal) =>
    request("POST", `/chat/message/${encodeURIComponent(messageId)}/regenerate`, {
      headers: { Accept: "text/event-stream", "Idempotency-Key": key },
      user: "query",
      body: { ...(voice !== null && { voice_config: voice }) },
      signal,
    }),

  /** A message beside this one, with its files, and the reply. */
  edit: (messageId: string, text: string, key: string, voice: object | null, signal: AbortSignal) =>
    request("POST", `/chat/message/${encodeURIComponent(messageId)}/edit`, {
      headers: { Accept: "text/event-stream", "Idempotency-Key": key },
      user: "query",
      body: { message: text, ...(voice !== null && { voice_config: voice }) },
      signal,
    }),

  /** Of a message that waits. */
  amend: (messageId: string, text: string) =>
    requestJson<Message>("PATCH", `/chat/message/${encodeURIComponent(messageId)}`, {
      user: "query",
      body: { message: text },
    }),

  deleteMessage: async (messageId: string) => {
    await request("DELETE", `/chat/message/${encodeURIComponent(messageId)}`, {
      user: "query",
    });
  },

  sendVoice: (
    message: {
      readonly sessionId: string | null;
      readonly agentId: string | null;
      readonly sound: Blob;
      readonly key: string;
      readonly isSpoken: boolean;
      /** Of the speech. */
      readonly format: string;
    },
    signal: AbortSignal,
  ) => {
    const form = new FormData();
    const fields = {
      session_id: message.sessionId,
      agent_id: message.agentId,
      enable_tts: String(message.isSpoken),
      stream_audio: String(message.isSpoken),
      format: message.format,
      stream: "true",
    };
    for (const [name, value] of Object.entries(fields)) {
      if (value !== null) form.append(name, value);
    }
    form.append("audio_file", message.sound, "recording");
    return request("POST", "/chat/voice", {
      headers: { Accept: "text/event-stream", "Idempotency-Key": message.key },
      body: form,
      user: "body",
      signal,
      timeoutMs: uploadTimeoutMs,
    });
  },

  attachment: async (attachmentId: string) =>
    (
      await request("GET", `/chat/attachments/${encodeURIComponent(attachmentId)}`, {
        headers: { Accept: "*/*" },
        user: "query",
        timeoutMs: uploadTimeoutMs,
      })
    ).blob(),

  audio: async (audioId: string) =>
    (
      await request("GET", `/chat/audio/${encodeURIComponent(audioId)}`, {
        headers: { Accept: "audio/*" },
        user: "query",
      })
    ).blob(),

  synthesize: async (text: string, format: string) =>
    (
      await request("POST", "/chat/voice/synthesize", {
        headers: { Accept: "audio/*" },
        body: { text: text.slice(0, maxSpokenLength), format },
        timeoutMs: uploadTimeoutMs,
      })
    ).blob(),

  follow: (messageId: string, after: number, signal: AbortSignal) =>
    request("GET", `/chat/message/${encodeURIComponent(messageId)}/stream`, {
      headers: { Accept: "text/event-stream" },
      query: { after },
      user: "query",
      signal,
    }),

  cancel: (messageId: string) =>
    requestJson<Message>("POST", `/chat/message/${encodeURIComponent(messageId)}/cancel`, {
      user: "query",
    }),

  resume: (messageId: string, decisions: readonly Decision[], signal: AbortSignal) =>
    request("POST", `/chat/message/${encodeURIComponent(messageId)}/continue`, {
      headers: { Accept: "text/event-stream" },
      user: "query",
      body: { decisions },
      signal,
    }),
};
