import { ApiError, ConnectionError, readRefusal } from "./errors.ts";
import { createPatience, pauseBefore, wait, type OnRetry, type Wait } from "./retry.ts";
import { sendWithProgress, type OnProgress } from "./upload.ts";

type OrGiven<T> = T | (() => T | Promise<T>);

export interface ClientOptions {
  /** Where the service is, with the prefix that a gateway puts in front: `https://chat.example.com/api`. */
  readonly baseUrl: string;
  /**
   * For `Authorization: Bearer`. A function is asked before each request, and once more when the service refuses what it
   * gave: it is told the refused token then, and gives a fresh one.
   */
  readonly token?: string | ((refused: string | null) => MaybeToken | Promise<MaybeToken>);
  /** For `X-API-Key`: services, not browsers. */
  readonly apiKey?: string;
  /** Who is talking, where no token says it (`auth.mode: open`, or an administrator for somebody). */
  readonly userId?: OrGiven<string | null | undefined>;
  /** Of messages for people: `en` or `zh`. */
  readonly language?: OrGiven<string | null | undefined>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly fetch?: typeof fetch;
  /** For spoken conversations where the runtime has none. */
  readonly WebSocket?: typeof WebSocket;
  /** For an answer (of a stream: for its beginning). */
  readonly timeoutMs?: number;
  /** Of a request that can be repeated. Streams are taken up again as long as `patienceMs` says. */
  readonly maxRetries?: number;
  /** A message is sent again, and a lost stream taken up again, for so long without progress. */
  readonly patienceMs?: number;
  /** A stream that is silent longer is taken for lost: more than the service's `server.heartbeat_seconds`. */
  readonly silenceMs?: number;
  /** Stands around every request: to look at, to count, to trace. Answers that refuse are answers too. */
  readonly around?: (call: Call, send: () => Promise<Response>) => Promise<Response>;
  readonly wait?: Wait;
}

type MaybeToken = string | null | undefined;

/** What goes with any call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs?: number | undefined;
  readonly maxRetries?: number | undefined;
  /** The request outlives the page. */
  readonly keepalive?: boolean | undefined;
  readonly onRetry?: OnRetry | undefined;
  /** How much of the body has gone, from 0 to 1. */
  readonly onProgress?: OnProgress | undefined;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  /** A form as it is, everything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Where `userId` is named, if it is. */
  readonly user?: "query" | "body" | undefined;
  /** Whether a POST may be repeated though nobody knows whether it has arrived. */
  readonly isRepeatable?: boolean | undefined;
  /** Recognising, speaking and large files take their time. */
  readonly timeoutMs?: number | undefined;
}

const defaults = { timeoutMs: 30_000, maxRetries: 2, patienceMs: 60_000, silenceMs: 60_000 };
/** A refusal that names a later time is told to whoever waits for a plain answer. */
const longestPlainWaitMs = 10_000;

export type Transport = ReturnType<typeof createTransport>;

/** Requests and answers: credentials, deadlines, errors, repeats. Raises ApiError and ConnectionError. */
export function createTransport(options: ClientOptions) {
  const given = { ...defaults, wait, ...defined(options) };
  const base = options.baseUrl.replace(/\/+$/, "");

  const url = (path: string, query: Call["query"] = {}): string => {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      for (const each of Array.isArray(value) ? (value as unknown[]) : [value]) {
        if (each !== undefined && each !== null) search.append(name, String(each));
      }
    }
    const text = search.toString();
    return base + path + (text === "" ? "" : `?${text}`);
  };

  /** In place of one that was refused; null: there is no other. */
  const freshToken = async (refused: MaybeToken): Promise<string | null> => {
    if (!refused || typeof options.token !== "function") return null;
    const fresh = await tokenOf(options.token, refused);
    return fresh && fresh !== refused ? fresh : null;
  };

  /** One answer that is good; whatever it takes to read it is given to `read` in time. */
  const attempt = async <T>(
    call: Call,
    callOptions: CallOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> => {
    const { signal, onProgress } = callOptions;
    const userId = call.user === undefined ? null : await valueOf(options.userId);
    const named = userId === null || userId === undefined ? {} : { user_id: userId };
    const query = call.user === "query" ? { ...named, ...call.query } : call.query;
    const body = bodyOf(call.body, call.user === "body" ? named : {});
    const language = await valueOf(options.language);
    const timeout = new AbortController();
    const timeoutMs = callOptions.timeoutMs ?? call.timeoutMs ?? given.timeoutMs;
    const late = new ConnectionError("The service does not answer in time");
    const timer = setTimeout(() => timeout.abort(late), timeoutMs);
    const once = async (token: MaybeToken): Promise<Response> => {
      const init: RequestInit = {
        method: call.method,
        headers: {
          Accept: "application/json",
          ...(language && { "Accept-Language": language }),
          ...(body.type !== null && { "Content-Type": body.type }),
          ...(token && { Authorization: `Bearer ${token}` }),
          ...(options.apiKey !== undefined && { "X-API-Key": options.apiKey }),
          ...options.headers,
          ...call.headers,
          ...callOptions.headers,
        },
        ...(body.value !== undefined && { body: body.value }),
        cache: "no-store",
        keepalive: callOptions.keepalive ?? false,
        signal: signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]),
      };
      const target = url(call.path, query);
      const own = options.fetch ?? fetch;
      const send = () =>
        onProgress === undefined
          ? own(target, init)
          : sendWithProgress(own, target, init, onProgress);
      return options.around === undefined ? send() : options.around(call, send);
    };
    try {
      const token = await tokenOf(options.token, null);
      let response = await once(token);
      const fresh = response.status === 401 ? await freshToken(token) : null;
      if (fresh !== null) {
        // It may have broken off meanwhile, which is nobody's any more.
        response.body?.cancel().catch(() => undefined);
        response = await once(fresh);
      }
      if (!response.ok) throw await readRefusal(response);
      return await read(response);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ApiError || error instanceof ConnectionError) throw error;
      if (timeout.signal.aborted) throw late;
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
      throw new ConnectionError("The service cannot be reached", { cause: error });
    } finally {
      clearTimeout(timer);
    }
  };

  /** As `attempt`, repeated where that is safe and may help. */
  const repeated = async <T>(
    call: Call,
    callOptions: CallOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> => {
    const { signal, maxRetries = given.maxRetries } = callOptions;
    const isSafe =
      call.method !== "POST" ||
      call.isRepeatable === true ||
      call.headers?.["Idempotency-Key"] !== undefined;
    let wasLost = false;
    for (let tries = 0; ; tries += 1) {
      try {
        return await attempt(call, callOptions, read);
      } catch (error) {
        signal?.throwIfAborted();
        // It was there when it was asked for first, and whether it was that time that it went nobody can say.
        const isGone = error instanceof ApiError && error.status === 404;
        if (wasLost && isGone && call.method === "DELETE") return undefined as T;
        const pause = tries < maxRetries ? pauseBefore(error, tries) : null;
        if (pause === null || pause.delayMs > longestPlainWaitMs) throw error;
        if (!isSafe && !(error instanceof ApiError)) throw error;
        wasLost ||= error instanceof ConnectionError;
        callOptions.onRetry?.(error, pause);
        await given.wait(pause, signal);
      }
    }
  };

  return {
    url,
    silenceMs: given.silenceMs,
    WebSocket: options.WebSocket ?? globalThis.WebSocket,
    apiKey: options.apiKey,
    token: () => tokenOf(options.token, null),
    freshToken,
    userId: () => valueOf(options.userId),
    patience: (callOptions: CallOptions & { readonly patienceMs?: number | undefined }) =>
      createPatience({
        patienceMs: callOptions.patienceMs ?? given.patienceMs,
        wait: given.wait,
        signal: callOptions.signal,
        onRetry: callOptions.onRetry,
      }),
    /** One request; its answer may be a stream. */
    open: (call: Call, callOptions: CallOptions = {}): Promise<Response> =>
      attempt(call, callOptions, (response) => Promise.resolve(response)),
    /** The JSON of an answer; undefined of a DELETE whose first answer was lost. */
    json: <T>(call: Call, callOptions: CallOptions = {}): Promise<T> =>
      repeated(call, callOptions, (response) => response.json() as Promise<T>),
    blob: (call: Call, callOptions: CallOptions = {}): Promise<Blob> =>
      repeated(call, callOptions, (response) => response.blob()),
    /** An answer to be read by whoever asks, such as a file that is large. */
    response: (call: Call, callOptions: CallOptions = {}): Promise<Response> =>
      repeated(call, callOptions, (response) => Promise.resolve(response)),
  };
}

/** A path with its values in place, whatever they contain. */
export function path(texts: TemplateStringsArray, ...values: readonly string[]): string {
  return String.raw({ raw: texts }, ...values.map(encodeURIComponent));
}

async function valueOf<T>(given: OrGiven<T> | undefined): Promise<T | undefined> {
  return typeof given === "function" ? await (given as () => T | Promise<T>)() : given;
}

async function tokenOf(given: ClientOptions["token"], refused: string | null): Promise<MaybeToken> {
  return typeof given === "function" ? given(refused) : given;
}

function bodyOf(
  body: unknown,
  named: object,
): { readonly value: string | FormData | undefined; readonly type: string | null } {
  if (body === undefined) return { value: undefined, type: null };
  if (!(body instanceof FormData)) {
    return { value: JSON.stringify({ ...named, ...(body as object) }), type: "application/json" };
  }
  // In front of the rest, which may be a long recording.
  const form = new FormData();
  for (const [name, value] of Object.entries(named)) form.append(name, value as string);
  for (const [name, value] of body) form.append(name, value);
  return { value: form, type: null };
}

function defined<T extends object>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as T;
}
