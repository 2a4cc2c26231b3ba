import type { Operations, SessionEvent, SessionInfo } from "./api-types.ts";
import { ConnectionError } from "./errors.ts";
import { readEvents } from "./event-stream.ts";
import { keyed, pages, type KeyedOptions } from "./calls.ts";
import { path, type CallOptions, type Transport } from "./transport.ts";
import type { StreamOptions } from "./reply.ts";

type Body<Name extends keyof Operations> = Operations[Name]["body"];
type Query<Name extends keyof Operations> = Operations[Name]["query"];
type Answer<Name extends keyof Operations> = Operations[Name]["answer"];

/** An event of a user's sessions with its number, behind which the stream can be taken up. */
export type NumberedSessionEvent = SessionEvent & { readonly seq: number };

/** Conversations. */
export function createSessions(transport: Transport) {
  const list = (query: Query<"GET /sessions"> = {}, options?: CallOptions) =>
    transport.json<Answer<"GET /sessions">>(
      { method: "GET", path: "/sessions", query, user: "query" },
      options,
    );
  return {
    /** `agent_id`, `session_config` and `metadata` are optional. */
    create: async (
      body: Body<"POST /chat/session"> | Record<never, never> = {},
      options: KeyedOptions = {},
    ): Promise<SessionInfo> => {
      const call = { method: "POST", path: "/chat/session", body, user: "body" } as const;
      const answer = await transport.json<Answer<"POST /chat/session">>(
        keyed(call, options),
        options,
      );
      return answer.session_info;
    },

    /** One page, newest activity first. */
    list,

    /** All of them, page by page. */
    all: (query: Query<"GET /sessions"> = {}, options?: CallOptions) =>
      pages(
        (cursor) => list({ limit: 100, ...query, ...cursor }, options),
        ({ sessions }) => sessions,
      ),

    get: (sessionId: string, options?: CallOptions) =>
      transport.json<SessionInfo>(
        { method: "GET", path: path`/sessions/${sessionId}`, user: "query" },
        options,
      ),

    /** Title, status, agent, branch shown (`head_message_id`), pin, tags, configuration, metadata. */
    update: (
      sessionId: string,
      body: Body<"PATCH /sessions/{session_id}">,
      options?: CallOptions,
    ) =>
      transport.json<SessionInfo>(
        { method: "PATCH", path: path`/sessions/${sessionId}`, body, user: "query" },
        options,
      ),

    rename: (sessionId: string, title: string | null, options?: CallOptions) =>
      transport.json<SessionInfo>(
        { method: "PATCH", path: path`/sessions/${sessionId}`, body: { title }, user: "query" },
        options,
      ),

    delete: async (sessionId: string, options?: CallOptions): Promise<void> => {
      await transport.json(
        { method: "DELETE", path: path`/sessions/${sessionId}`, user: "query" },
        options,
      );
    },

    /** `delete`, `archive` or `activate` for up to 100. */
    batch: (body: Body<"POST /sessions/batch">, options?: CallOptions) =>
      transport.json<Answer<"POST /sessions/batch">>(
        { method: "POST", path: "/sessions/batch", body, user: "body" },
        options,
      ),

    /** A new session of the path up to a message. */
    fork: async (
      sessionId: string,
      messageId: string,
      options: KeyedOptions = {},
    ): Promise<SessionInfo> => {
      const url = path`/sessions/${sessionId}/fork`;
      const body = { message_id: messageId };
      const answer = await transport.json<Answer<"POST /sessions/{session_id}/fork">>(
        keyed({ method: "POST", path: url, body, user: "query" }, options),
        options,
      );
      return answer.session_info;
    },

    /** What waits for an earlier reply, in its order, each with the messages that it will answer. */
    queue: async (sessionId: string, options?: CallOptions) =>
      (
        await transport.json<Answer<"GET /sessions/{session_id}/queue">>(
          { method: "GET", path: path`/sessions/${sessionId}/queue`, user: "query" },
          options,
        )
      ).messages,

    stats: (userId: string, options?: CallOptions) =>
      transport.json<Answer<"GET /sessions/user/{user_id}/stats">>(
        { method: "GET", path: path`/sessions/user/${userId}/stats` },
        options,
      ),

    /** A link under which anybody may read the conversation as it is now. */
    share: (
      sessionId: string,
      body: Body<"POST /sessions/{session_id}/share"> = {},
      options: KeyedOptions = {},
    ) => {
      const url = path`/sessions/${sessionId}/share`;
      return transport.json<Answer<"POST /sessions/{session_id}/share">>(
        keyed({ method: "POST", path: url, body, user: "query" }, options),
        options,
      );
    },

    shares: async (sessionId: string, options?: CallOptions) =>
      (
        await transport.json<Answer<"GET /sessions/{session_id}/share">>(
          { method: "GET", path: path`/sessions/${sessionId}/share`, user: "query" },
          options,
        )
      ).shares,

    endShare: async (sessionId: string, shareId: string, options?: CallOptions): Promise<void> => {
      await transport.json(
        { method: "DELETE", path: path`/sessions/${sessionId}/share/${shareId}`, user: "query" },
        options,
      );
    },

    /** The conversation as a file, to be read by whoever asks; all of them where none is named. */
    export: (
      sessionId: string | null,
      query: Query<"GET /sessions/{session_id}/export"> = {},
      options?: CallOptions,
    ): Promise<Response> =>
      transport.response(
        {
          method: "GET",
          path: sessionId === null ? "/export" : path`/sessions/${sessionId}/export`,
          query,
          headers: { Accept: "*/*" },
          user: "query",
          timeoutMs: 150_000,
        },
        options,
      ),

    /** Conversations from a file: an export of this service, of ChatGPT, LibreChat or Open WebUI. */
    import: (file: Blob, options: KeyedOptions = {}) => {
      const body = new FormData();
      body.append("file", file, file instanceof File ? file.name : "conversations");
      const call = { method: "POST", path: "/import", body, user: "query" } as const;
      return transport.json<Answer<"POST /import">>(
        keyed({ ...call, timeoutMs: 3_600_000 }, options),
        options,
      );
    },

    /**
     * What happens to the user's sessions, on whatever device, from now on or behind an event. Goes on until it is left or
     * the signal aborts. After `ready` and `reset` read the list anew.
     */
    events: (options: StreamOptions & { readonly after?: number | undefined } = {}) =>
      sessionEvents(transport, options),
  };
}

async function* sessionEvents(
  transport: Transport,
  options: StreamOptions & { readonly after?: number | undefined },
): AsyncGenerator<NumberedSessionEvent, void, void> {
  const { signal } = options;
  const { silenceMs } = transport;
  const patience = transport.patience(options);
  for (let after = options.after; ;) {
    try {
      const query = { after };
      const headers = { Accept: "text/event-stream" };
      const call = { method: "GET", path: "/sessions/events", query, headers, user: "query" };
      const response = await transport.open({ ...call, user: "query" }, options);
      for await (const item of readEvents<SessionEvent>(response, { signal, silenceMs })) {
        patience.renew();
        if (item === null) break;
        const { id, event } = item;
        // These two say where the stream stands; the others come once.
        const isPlace = event.type === "ready" || event.type === "reset";
        if (!isPlace && after !== undefined && id <= after) continue;
        after = id;
        yield { ...event, seq: id };
      }
      throw new ConnectionError("The stream broke off");
    } catch (error) {
      await patience.bear(error);
    }
  }
}
