/** The peer gave no answer that could be used: not reached, too slow, too large, cut off. */
export class PeerFault extends Error {
  override readonly name = "PeerFault";
}

export interface JsonAnswer {
  readonly status: number;
  /** The parsed body; undefined when it was empty or no JSON. */
  readonly body: unknown;
  readonly retryAfter: string | null;
}

export interface JsonRequest {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is instead of `body`: JSON that was signed. */
  readonly bodyText?: string;
  /** For the whole exchange, the body included. */
  readonly timeoutMs: number;
  /** Of the answer; more is a fault. */
  readonly maxBytes?: number;
  /** Ends the exchange early; its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Asking twice does no harm: done when a kept connection turns out to have been closed by the peer. */
  readonly repeatable?: boolean;
}

/**
 * A small exchange with a peer, bounded in time and size. Redirects are answers like any other: credentials go
 * nowhere else. Raises PeerFault, whose message holds no credentials and nothing the peer sent.
 */
export async function fetchJson(url: string, request: JsonRequest): Promise<JsonAnswer> {
  const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(request.timeoutMs)));
  const signal =
    request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
  for (let attempt = 1; ; attempt++) {
    try {
      return await exchange(url, request, signal);
    } catch (error) {
      if (error instanceof PeerFault) throw error;
      request.signal?.throwIfAborted();
      if (timeout.aborted) {
        throw new PeerFault(`no answer within ${request.timeoutMs} ms`, { cause: error });
      }
      const code = systemCode(error);
      if (request.repeatable === true && attempt === 1 && closedByPeer.has(code)) continue;
      throw new PeerFault(code === "" ? "the exchange failed" : code, { cause: error });
    }
  }
}

const closedByPeer = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

async function exchange(
  url: string,
  { method = "GET", headers, body, bodyText, maxBytes = 256 * 1024 }: JsonRequest,
  signal: AbortSignal,
): Promise<JsonAnswer> {
  const sent = bodyText ?? (body === undefined ? undefined : JSON.stringify(body));
  const address = withoutUser(url);
  const response = await fetch(address.url, {
    method,
    headers: {
      accept: "application/json",
      ...address.headers,
      ...(sent === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    redirect: "manual",
    signal,
    ...(sent === undefined ? {} : { body: sent }),
  });
  const text = await readText(response, maxBytes);
  return {
    status: response.status,
    body: parse(text),
    retryAfter: response.headers.get("retry-after"),
  };
}

/** `http://user:password@host` as operators write it; fetch takes such a URL only without the user. */
function withoutUser(text: string): { url: string; headers: Record<string, string> } {
  const url = new URL(text);
  if (url.username === "" && url.password === "") return { url: text, headers: {} };
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = "";
  url.password = "";
  const authorization = `Basic ${Buffer.from(user).toString("base64")}`;
  return { url: url.href, headers: { authorization } };
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = "";
  // Leaving the loop early cancels the body and with it the connection.
  for await (const piece of response.body) {
    bytes += piece.byteLength;
    if (bytes > maxBytes) throw new PeerFault(`an answer of more than ${maxBytes} bytes`);
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the system said, such as ECONNREFUSED; fetch itself only says "fetch failed". */
function systemCode(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "";
}
