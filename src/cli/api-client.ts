import { setTimeout as delay } from "node:timers/promises";
import { EventSourceParserStream } from "eventsource-parser/stream";
import type { ReplyEvent } from "../replies/reply-event.ts";

interface ApiClientOptions {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string | null;
  readonly apiKey: string | null;
  /** A lost stream is taken up again for so long. */
  readonly patienceMs?: number;
}

/** The service said no, in its own words. */
export class ApiFault extends Error {
  override readonly name = "ApiFault";
  readonly status: number;
  readonly type: string;
  /** From `Retry-After`. */
  readonly retryAfterSeconds: number | null;

  constructor(status: number, type: string, message: string, retryAfterSeconds: number | null) {
    super(message);
    this.status = status;
    this.type = type;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Nobody answers at the address, or nobody of ours. */
export class ServiceUnreachable extends Error {
  override readonly name = "ServiceUnreachable";
}

export type ApiClient = ReturnType<typeof createApiClient>;

const requestTimeoutMs = 60_000;
const pauseMs = 500;

/** A client of a running service. Raises ApiFault and ServiceUnreachable. */
export function createApiClient(options: ApiClientOptions) {
  const { url, token, apiKey, patienceMs = 60_000 } = options;
  const credentials: Record<string, string> = {
    ...(token !== null && { authorization: `Bearer ${token}` }),
    ...(apiKey !== null && { "x-api-key": apiKey }),
  };

  const request = async (path: string, init: RequestInit): Promise<Response> => {
    let response: Response;
    try {
      response = await fetch(url + path, {
        ...init,
        headers: { ...credentials, ...Object.fromEntries(new Headers(init.headers)) },
      });
    } catch (error) {
      throw new ServiceUnreachable(
        `Nobody answers at ${url}. Start the service (chat-service serve), or name another with --url.`,
        { cause: error },
      );
    }
    if (response.ok) return response;
    throw await faultOf(response, url);
  };

  /** Opens a stream of events; ends with `[DONE]` or when the connection does. */
  async function* readEvents(response: Response): AsyncGenerator<NumberedEvent> {
    if (response.body === null) return;
    const messages = response.body
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream({ maxBufferSize: 16 * 1024 * 1024 }));
    for await (const { id, data } of messages) {
      if (data === "[DONE]") {
        yield { id: Number.NaN, event: null };
        return;
      }
      yield { id: Number(id), event: JSON.parse(data) as ReplyEvent };
    }
  }

  /**
   * The events of a reply, each once and in order, whatever happens to the connection: it is followed again behind the
   * last event seen. `open` starts it; with an Idempotency-Key it may be called again until the first event is there.
   */
  async function* follow(
    open: () => Promise<Response>,
    messageId: string | null,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyEvent> {
    let replyId = messageId;
    let lastId: number | null = null;
    let lastSeenMs = performance.now();
    for (let opened = false; ;) {
      try {
        const response: Response =
          opened && replyId !== null && lastId !== null
            ? await request(`/chat/message/${replyId}/stream?after=${lastId}`, { signal })
            : await open();
        for await (const { id, event } of readEvents(response)) {
          lastSeenMs = performance.now();
          if (event === null) return;
          opened = true;
          lastId = id;
          replyId = event.message_id;
          yield event;
        }
      } catch (error) {
        if (signal.aborted) throw error;
        const isFinal = error instanceof ApiFault && ![502, 503, 504].includes(error.status);
        if (isFinal || (!opened && !(error instanceof TypeError))) throw error;
      }
      if (performance.now() - lastSeenMs > patienceMs) {
        throw new ServiceUnreachable("The connection was lost and does not come back.");
      }
      await delay(pauseMs, undefined, { signal });
    }
  }

  const json = (method: string, body: unknown, headers: Record<string, string> = {}) => ({
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
    headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
  });

  return {
    url,
    async call<T>(method: string, path: string, body?: unknown): Promise<T> {
      const response = await request(path, {
        ...json(method, body),
        signal: AbortSignal.timeout(requestTimeoutMs),
      });
      return (await response.json()) as T;
    },

    /** Sends a message; may safely be repeated by the client itself, the service takes it once. */
    send(body: object, signal: AbortSignal): AsyncGenerator<ReplyEvent> {
      const init = json("POST", body, { "idempotency-key": crypto.randomUUID() });
      return follow(() => request("/chat/message/stream", { ...init, signal }), null, signal);
    },

    /** Goes on with a paused reply. */
    continue(
      messageId: string,
      query: string,
      decisions: readonly object[],
      signal: AbortSignal,
    ): AsyncGenerator<ReplyEvent> {
      const init = json("POST", { decisions });
      const path = `/chat/message/${messageId}/continue${query}`;
      return follow(() => request(path, { ...init, signal }), messageId, signal);
    },
  };
}

interface NumberedEvent {
  readonly id: number;
  /** Null: the end. */
  readonly event: ReplyEvent | null;
}

async function faultOf(response: Response, url: string): Promise<Error> {
  const body = (await response.json().catch(() => null)) as {
    error?: { type?: unknown; message?: unknown; details?: { path: string; message: string }[] };
  } | null;
  const { type, message, details } = body?.error ?? {};
  if (typeof type !== "string" || typeof message !== "string") {
    return new ServiceUnreachable(
      `${url} answers ${response.status}, but is not a chat service. Name its address with --url.`,
    );
  }
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  const listed = (details ?? []).map((detail) => `\n  ${detail.path} ${detail.message}`).join("");
  return new ApiFault(
    response.status,
    type,
    message + listed,
    Number.isNaN(retryAfter) ? null : retryAfter,
  );
}
