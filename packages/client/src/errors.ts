import type { ProblemType } from "./api-types.ts";

/** What an answer says that is none of the service's: a proxy's, or of something else at the address. */
export const foreignType = "unknown";

/** The service refuses. Decide by `type`, which never changes; `message` is for people, in the language asked for. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly type: ProblemType | typeof foreignType | (string & {});
  /** Faults of the request by JSON pointer. */
  readonly details: readonly { readonly path: string; readonly message: string }[];
  /** What the service's log has it under. */
  readonly requestId: string | null;
  readonly retryAfterSeconds: number | null;

  constructor(
    message: string,
    fault: Pick<ApiError, "status" | "type" | "details" | "requestId" | "retryAfterSeconds">,
  ) {
    super(message);
    this.status = fault.status;
    this.type = fault.type;
    this.details = fault.details;
    this.requestId = fault.requestId;
    this.retryAfterSeconds = fault.retryAfterSeconds;
  }
}

/** Nobody answers in time, or the connection broke. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

/** The reply has failed. What it had said is in `text`. */
export class ReplyError extends Error {
  override readonly name = "ReplyError";
  readonly type: string;
  readonly code: number;
  readonly messageId: string;
  readonly text: string;

  constructor(event: {
    readonly error: string;
    readonly error_type: string;
    readonly code: number;
    readonly message_id: string;
    readonly full_response: string;
  }) {
    super(event.error);
    this.type = event.error_type;
    this.code = event.code;
    this.messageId = event.message_id;
    this.text = event.full_response;
  }
}

/** The refusal that an answer is. */
export async function readRefusal(response: Response): Promise<ApiError> {
  const { status, statusText, headers } = response;
  const seconds = Number(headers.get("Retry-After") ?? Number.NaN);
  const body = (await response.json().catch(() => null)) as {
    readonly error?: { type?: unknown; message?: unknown; details?: unknown };
    readonly request_id?: unknown;
  } | null;
  const { type, message, details } = body?.error ?? {};
  const requestId = body?.request_id ?? headers.get("X-Request-ID");
  return new ApiError(typeof message === "string" ? message : `${status} ${statusText}`.trim(), {
    status,
    type: typeof type === "string" ? type : foreignType,
    details: Array.isArray(details) ? (details as ApiError["details"]) : [],
    requestId: typeof requestId === "string" ? requestId : null,
    retryAfterSeconds: Number.isFinite(seconds) ? seconds : null,
  });
}
