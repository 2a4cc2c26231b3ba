import { openStream, type ReplyStream } from "./reply-stream.ts";

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** A user's client of a running service. */
export interface Client {
  readonly url: string;
  get<T = Record<string, never>>(
    path: string,
    headers?: Record<string, string>,
  ): Promise<Answer<T>>;
  send<T = Record<string, never>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer<T>>;
  /** Creates a session and returns its id. */
  session(userId: string, more?: object): Promise<string>;
  /** Sends a message and follows its reply. */
  stream(body: object, headers?: Record<string, string>): Promise<ReplyStream>;
  /** Follows a reply after an event. */
  follow(messageId: string, after?: number): Promise<ReplyStream>;
}

export function createClient(url: string, defaultHeaders: Record<string, string> = {}): Client {
  const call = async <T>(
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> => {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...defaultHeaders,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    // JSON Lines are none.
    const isJson = /[/+]json\b/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      headers: response.headers,
      body: (isJson ? JSON.parse(text) : text) as T,
    };
  };
  return {
    url,
    get: (path, headers) => call("GET", path, undefined, headers),
    send: (method, path, body, headers) => call(method, path, body, headers),
    async session(userId, more = {}) {
      const { status, body } = await call<{ session_id: string }>("POST", "/chat/session", {
        user_id: userId,
        ...more,
      });
      if (status !== 200) throw new Error(`no session: ${status} ${JSON.stringify(body)}`);
      return body.session_id;
    },
    stream: (body, headers = {}) =>
      openStream(`${url}/chat/message/stream`, {
        method: "POST",
        headers: {
          ...defaultHeaders,
          "content-type": "application/json",
          ...headers,
        },
        body: JSON.stringify(body),
      }),
    follow: (messageId, after = 0) =>
      openStream(`${url}/chat/message/${messageId}/stream?after=${after}`, {
        headers: defaultHeaders,
      }),
  };
}
