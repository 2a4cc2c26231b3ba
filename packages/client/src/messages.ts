import type { Accepted as AcceptedBody, Message, Operations, ReplyEvent } from "./api-types.ts";
import { keyed, pages, type KeyedOptions } from "./calls.ts";
import { encodeFiles, type EncodedFile } from "./files.ts";
import { cancelReply, Reply, type StreamOptions } from "./reply.ts";
import { path, type CallOptions, type Transport } from "./transport.ts";

type Body<Name extends keyof Operations> = Operations[Name]["body"];
type Query<Name extends keyof Operations> = Operations[Name]["query"];
type Answer<Name extends keyof Operations> = Operations[Name]["answer"];

/** Files as the runtime has them, or encoded already. */
interface Files {
  readonly attachments?: readonly (Blob | EncodedFile)[] | undefined;
}

export type NewMessage = Omit<Body<"POST /chat/message/stream">, "attachments" | "stream"> & Files;
export type Edit = Omit<Body<"POST /chat/message/{message_id}/edit">, "attachments"> & Files;
export type Amendment = Omit<Body<"PATCH /chat/message/{message_id}">, "attachments"> & Files;
export type Again = Body<"POST /chat/message/{message_id}/regenerate">;
export type Decision = Body<"POST /chat/message/{message_id}/continue">["decisions"][number];
export type Requirement = Extract<ReplyEvent, { type: "paused" }>["requirements"][number];

export interface SendOptions extends StreamOptions, KeyedOptions {}

const filesTimeoutMs = 150_000;

/** Messages and their replies. */
export function createMessages(transport: Transport) {
  /** A reply that is asked for with files in the body; asked for with a key, it is the same one however often. */
  const ask = (
    url: string,
    { attachments, ...body }: Files & { readonly on_busy?: string | undefined },
    options: SendOptions,
    user: "body" | "query",
  ): Reply => {
    const mayMoveOn = body.on_busy === "steer";
    // Its progress can only be told of an answer that is no stream: then the reply is followed by its id.
    const isApart = options.onProgress !== undefined && !mayMoveOn;
    const build = async () => {
      const files = attachments && { attachments: await encodeFiles(attachments) };
      return keyed(
        {
          method: "POST",
          path: isApart ? url.replace(/\/stream$/, "") : url,
          body: { ...body, ...files },
          headers: isApart ? { Prefer: "respond-async" } : { Accept: "text/event-stream" },
          user,
          timeoutMs: attachments && attachments.length > 0 ? filesTimeoutMs : undefined,
        },
        options,
      );
    };
    const source = { ask: build, messageId: null, after: 0, mayMoveOn };
    return new Reply(transport, source, {
      ...options,
      onProgress: isApart ? options.onProgress : undefined,
    });
  };

  const history = (
    sessionId: string,
    query: Query<"GET /chat/history/{session_id}"> = {},
    options?: CallOptions,
  ) =>
    transport.json<Answer<"GET /chat/history/{session_id}">>(
      { method: "GET", path: path`/chat/history/${sessionId}`, query, user: "query" },
      options,
    );

  const search = (query: Query<"GET /chat/search">, options?: CallOptions) =>
    transport.json<Answer<"GET /chat/search">>(
      { method: "GET", path: "/chat/search", query, user: "query" },
      options,
    );

  return {
    /** Sends a message; the reply comes as it is made. Without `session_id` it begins a conversation. */
    send: (message: NewMessage, options: SendOptions = {}): Reply =>
      ask("/chat/message/stream", message, options, "body"),

    /** Sends a message and does not wait: its reply is fetched or followed by its id. */
    post: async (
      { attachments, ...message }: NewMessage,
      options: KeyedOptions = {},
    ): Promise<AcceptedBody> => {
      const files = attachments && { attachments: await encodeFiles(attachments) };
      const call = {
        method: "POST",
        path: "/chat/message",
        body: { ...message, ...files },
        headers: { Prefer: "respond-async" },
        user: "body",
        timeoutMs: files === undefined ? undefined : filesTimeoutMs,
      } as const;
      return transport.json(keyed(call, options), options);
    },

    /** A reply that runs or has ended, from the start or behind an event. */
    follow: (
      messageId: string,
      { after = 0, ...options }: StreamOptions & { readonly after?: number | undefined } = {},
    ): Reply => new Reply(transport, { ask: null, messageId, after }, options),

    get: (messageId: string, options?: CallOptions) =>
      transport.json<Message>(
        { method: "GET", path: path`/chat/message/${messageId}`, user: "query" },
        options,
      ),

    /** Stops a reply; what it had said is kept. Does nothing for one that has ended. */
    cancel: (messageId: string, options?: CallOptions) =>
      cancelReply(transport, messageId, options),

    /** Tells a paused reply what a person has decided; it goes on. `after`: the `seq` of the event `paused`. */
    continue: (
      messageId: string,
      decisions: readonly Decision[],
      { after = 0, ...options }: StreamOptions & { readonly after?: number | undefined } = {},
    ): Reply => {
      const call = {
        method: "POST",
        path: path`/chat/message/${messageId}/continue`,
        body: { decisions },
        headers: { Accept: "text/event-stream" },
        user: "query",
      } as const;
      const decides = decisions.map(({ id }) => id);
      return new Reply(transport, { ask: () => call, messageId, after, decides }, options);
    },

    /** Another reply to the message that this one answers. */
    regenerate: (messageId: string, body: Again = {}, options: SendOptions = {}): Reply =>
      ask(path`/chat/message/${messageId}/regenerate`, body, options, "query"),

    /** Says it otherwise: a message beside this one, and its reply. */
    edit: (messageId: string, body: Edit, options: SendOptions = {}): Reply =>
      ask(path`/chat/message/${messageId}/edit`, body, options, "query"),

    /** Of a message that waits. */
    amend: async (
      messageId: string,
      { attachments, ...body }: Amendment,
      options?: CallOptions,
    ): Promise<Message> => {
      const files = attachments && { attachments: await encodeFiles(attachments) };
      const url = path`/chat/message/${messageId}`;
      return transport.json(
        { method: "PATCH", path: url, body: { ...body, ...files }, user: "query" },
        options,
      );
    },

    /** With everything below it; one that waits is withdrawn. */
    delete: async (messageId: string, options?: CallOptions): Promise<void> => {
      await transport.json(
        { method: "DELETE", path: path`/chat/message/${messageId}`, user: "query" },
        options,
      );
    },

    /** What the user thinks of a reply; a rating of null takes it back. */
    rate: (
      messageId: string,
      body: Body<"PUT /chat/message/{message_id}/feedback">,
      options?: CallOptions,
    ) =>
      transport.json<Message>(
        { method: "PUT", path: path`/chat/message/${messageId}/feedback`, body, user: "query" },
        options,
      ),

    /** A page of the active path, or of another (`path`). */
    history,

    /** All of it, page by page, oldest first. */
    all: (
      sessionId: string,
      query: Query<"GET /chat/history/{session_id}"> = {},
      options?: CallOptions,
    ) =>
      pages(
        (place) => history(sessionId, { limit: 200, ...query, ...place }, options),
        ({ messages }) => messages,
      ),

    /** Through everything the user has said and was told. */
    search,

    /** The bytes of a file that came with a message. */
    attachment: (attachmentId: string, options?: CallOptions) =>
      transport.blob(
        {
          method: "GET",
          path: path`/chat/attachments/${attachmentId}`,
          headers: { Accept: "*/*" },
          user: "query",
          timeoutMs: filesTimeoutMs,
        },
        options,
      ),
  };
}
