import type { FastifyReply, FastifyRequest } from "fastify";
import { idempotencyKey } from "../../idempotency/idempotency-header.ts";
import {
  fingerprint,
  impliedKey,
  type IdempotencyKey,
} from "../../idempotency/idempotency-store.ts";

/** An HTTP request with messages of the protocol in it, and where its answer goes. */
export interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly userId: string;
  /** Aborts when its answer interests nobody any more, or this node ends. */
  readonly signal: AbortSignal;
}

/** The headers that the library looks at. What says who is calling stays outside. */
const passedOn = new Set([
  "accept",
  "content-type",
  "mcp-protocol-version",
  "mcp-method",
  "mcp-name",
]);
const maxClientIdLength = 128;

/** A request as the library takes it; its body is parsed. */
export function webRequest({ request, signal }: Exchange): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    const isPassedOn = passedOn.has(name) || name.startsWith("mcp-param-");
    if (isPassedOn && typeof value === "string") headers.set(name, value);
  }
  return new Request("http://localhost/mcp", { method: "POST", headers, signal });
}

/**
 * What a client of the older versions calls itself: it was given the name when it began, and nothing is kept of it here.
 * Null for the others, and for what no such name is.
 */
export function clientIdOf({ headers }: FastifyRequest): string | null {
  const id = headers["mcp-session-id"];
  const isName = typeof id === "string" && id.length <= maxClientIdLength && /^[!-~]+$/.test(id);
  return isName ? id : null;
}

/** Under which a call of such a client stands: its ids are its own, and each is used once. */
export function callKey(clientId: string, callId: string | number): string {
  return ` mcp ${clientId} ${JSON.stringify(callId)}`;
}

/** What says that a call is the same that came before: the caller's key, or who it is with the number of the call. */
export function keyOf(
  { request }: Exchange,
  operation: string,
  callId: string | number,
  args: object,
): IdempotencyKey {
  // One header cannot name several calls.
  const own = Array.isArray(request.body) ? null : idempotencyKey(request, operation, args);
  if (own !== null) return own;
  const print = fingerprint(operation, args);
  const clientId = clientIdOf(request);
  return clientId === null
    ? impliedKey(print, false)
    : { key: callKey(clientId, callId), fingerprint: print };
}

interface Cancelled {
  readonly method: "notifications/cancelled";
  readonly params: { readonly requestId: string | number };
}

/** The library refuses batches of more messages. */
const maxBatch = 100;

/** The calls that these messages take back. */
export function cancelledCalls(body: unknown): (string | number)[] {
  return [body]
    .flat()
    .slice(0, maxBatch)
    .filter(isCancelled)
    .map(({ params }) => params.requestId);
}

function isCancelled(message: unknown): message is Cancelled {
  const { method, params } = (message ?? {}) as { method?: unknown; params?: unknown };
  const id = (params as { requestId?: unknown } | undefined)?.requestId;
  return method === "notifications/cancelled" && (typeof id === "string" || typeof id === "number");
}

/** Whether a client of the older versions begins. */
export function isInitialize(body: unknown): boolean {
  return (body as { method?: unknown } | null | undefined)?.method === "initialize";
}
