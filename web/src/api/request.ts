import { isConnected } from "../state/connection.ts";
import { identified, identity, signOut, type Identity } from "../state/identity.ts";
import { language } from "../state/preferences.ts";

/** An answer of the service that refuses. `message` is meant for people, in their language. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly type: string;
  readonly retryAfterSeconds: number | null;

  constructor(status: number, type: string, message: string, retryAfterSeconds: number | null) {
    super(message);
    this.status = status;
    this.type = type;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The service could not be reached, or the connection broke. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

export interface RequestOptions {
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Where the user is named, if one has to be. The request waits until it is known who that is. */
  readonly user?: "query" | "body";
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** The request outlives the page. */
  readonly keepalive?: boolean;
  /** Who is signed in does not matter to it: a refusal says nothing of them. */
  readonly isForAll?: boolean;
  /** For the answer's head; null: as long as it takes. Milliseconds. */
  readonly timeoutMs?: number | null;
}

const defaultTimeoutMs = 30_000;

/** An address of the API: beside the page, whatever prefix it is served below. */
export function apiUrl(path: string, query: RequestOptions["query"] = {}): string {
  const url = new URL(`.${path}`, new URL("./", document.baseURI));
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** Sends a request and returns a good answer. Raises ApiError, Unreachable, or what `signal` was aborted with. */
export async function request(
  method: string,
  path: string,
  options: RequestOptions = {},
): Promise<Response> {
  const { signal, timeoutMs = defaultTimeoutMs } = options;
  if (options.user !== undefined) await identified(signal);
  const current = identity.get();
  const query = options.user === "query" ? { ...options.query, ...named(current) } : options.query;
  const body = options.user === "body" ? withName(options.body, named(current)) : options.body;
  const timeout = new AbortController();
  const timer = timeoutMs === null ? undefined : setTimeout(() => timeout.abort(), timeoutMs);
  let response: Response;
  try {
    response = await fetch(apiUrl(path, query), {
      method,
      headers: {
        Accept: "application/json",
        "Accept-Language": language.get(),
        ...(body !== undefined &&
          !(body instanceof FormData) && { "Content-Type": "application/json" }),
        ...(current.kind === "token" && { Authorization: `Bearer ${current.token}` }),
        ...options.headers,
      },
      ...(body !== undefined && { body: body instanceof FormData ? body : JSON.stringify(body) }),
      cache: "no-store",
      credentials: "same-origin",
      keepalive: options.keepalive ?? false,
      signal: signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]),
    });
  } catch (error) {
    signal?.throwIfAborted();
    isConnected.set(false);
    throw new Unreachable("The service cannot be reached", { cause: error });
  } finally {
    clearTimeout(timer);
  }
  // A proxy that cannot reach the service answers in its place.
  isConnected.set(response.status !== 502 && response.status !== 504);
  if (response.ok) return response;
  const refusal = await readRefusal(response);
  if (refusal.status === 401 && options.isForAll !== true && identity.get() === current)
    signOut(current.kind === "token");
  throw refusal;
}

/** As `request`, with the answer's JSON. */
export async function requestJson<T>(
  method: string,
  path: string,
  options?: RequestOptions,
): Promise<T> {
  const response = await request(method, path, options);
  try {
    return (await response.json()) as T;
  } catch (error) {
    options?.signal?.throwIfAborted();
    throw new Unreachable("The answer broke off", { cause: error });
  }
}

/** As the API wants a user named; empty where the token says it. */
export function named(current: Identity): { readonly user_id?: string } {
  return current.kind === "open" ? { user_id: current.userId } : {};
}

/** Before the rest of a form, which may be a long recording. */
function withName(body: unknown, name: ReturnType<typeof named>): unknown {
  if (!(body instanceof FormData)) return { ...(body as object), ...name };
  const form = new FormData();
  if (name.user_id !== undefined) form.append("user_id", name.user_id);
  for (const [field, value] of body) form.append(field, value);
  return form;
}

async function readRefusal(response: Response): Promise<ApiError> {
  const retryAfter = Number(response.headers.get("Retry-After") ?? Number.NaN);
  let type = "unknown";
  let message = `${response.status} ${response.statusText}`.trim();
  try {
    const { error } = (await response.json()) as { error?: { type?: unknown; message?: unknown } };
    if (typeof error?.type === "string") type = error.type;
    if (typeof error?.message === "string") message = error.message;
  } catch {
    // Not ours: a proxy in between has answered. Its status says enough.
  }
  return new ApiError(
    response.status,
    type,
    message,
    Number.isFinite(retryAfter) ? retryAfter : null,
  );
}
