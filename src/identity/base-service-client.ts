import { CircuitOpen, createCircuitBreaker, type CircuitBreaker } from "../lib/circuit-breaker.ts";
import { fetchJson, PeerFault, type JsonAnswer, type JsonRequest } from "../lib/fetch-json.ts";
import { isJsonObject, type JsonObject } from "../lib/json-shape.ts";
import type { Logger } from "../telemetry/logger.ts";
import { outageOf, whyOf, type Outage } from "../telemetry/outage.ts";
import { namesOf, permissionsOf, userIdOf } from "./claims.ts";
import type { AccessContext, Action } from "./identity.ts";

export interface BaseServiceUser {
  readonly userId: string;
  readonly roles: readonly string[];
  readonly permissions: readonly string[];
}

type Verdict =
  | "allowed"
  | "denied"
  /** The token itself is not accepted (any more). */
  | "unauthenticated";

/** Asks a Base Service, in whichever of its spellings it understands. */
export interface BaseServiceClient {
  /** Whose token it is, or null when it is nobody's. Raises PeerFault when that cannot be found out. */
  whoIs(token: string, context?: AccessContext): Promise<BaseServiceUser | null>;
  /** Whatever is no clear yes is `denied`. Raises PeerFault when that cannot be found out. */
  mayDo(userId: string, token: string, action: Action, context?: AccessContext): Promise<Verdict>;
}

interface BaseServiceClientOptions {
  readonly url: string;
  /** In front of its paths, such as /api/v1. */
  readonly prefix: string;
  readonly log: Logger;
  readonly timeoutMs?: number;
  readonly now?: () => number;
}

type Endpoint = "me" | "verify" | "check" | "check-permission";

const paths: Record<Endpoint, string> = {
  me: "/auth/me",
  verify: "/auth/verify",
  check: "/permissions/check",
  "check-permission": "/auth/check-permission",
};

/** The deployment does not have this path. */
const isMissing = ({ status }: JsonAnswer) => status === 404 || status === 405 || status === 501;

export function createBaseServiceClient({
  url,
  prefix,
  log,
  timeoutMs = 5_000,
  now = () => performance.now(),
}: BaseServiceClientOptions): BaseServiceClient {
  const base = url.replace(/\/+$/, "") + prefix;
  const outage = outageOf(log, "base_service");
  const breaker = createCircuitBreaker({ minimumCalls: 5, openMs: 5_000, now });
  /** The endpoint that answered last time, for each question. */
  const spelling: { who: Endpoint; permission: Endpoint } = { who: "me", permission: "check" };

  /** The endpoint that answered, and what; the other one is tried where the first does not exist. */
  async function ask(
    question: "who" | "permission",
    endpoints: readonly [Endpoint, Endpoint],
    requestFor: (endpoint: Endpoint) => JsonRequest,
  ): Promise<{ endpoint: Endpoint; answer: JsonAnswer }> {
    const first = spelling[question];
    const order = first === endpoints[0] ? endpoints : endpoints.toReversed();
    for (const endpoint of order) {
      const answer = await call(breaker, outage, base + paths[endpoint], requestFor(endpoint));
      if (isMissing(answer)) continue;
      spelling[question] = endpoint;
      return { endpoint, answer };
    }
    throw new PeerFault("none of the known paths exists");
  }

  function headersFor(token: string, context: AccessContext = {}): Record<string, string> {
    return {
      authorization: `Bearer ${token}`,
      ...(context.requestId === undefined ? {} : { "x-request-id": context.requestId }),
      ...(context.traceparent === undefined ? {} : { traceparent: context.traceparent }),
    };
  }

  return {
    async whoIs(token, context) {
      const { endpoint, answer } = await ask("who", ["me", "verify"], (spelledAs) => ({
        headers: headersFor(token, context),
        timeoutMs,
        repeatable: true,
        ...(spelledAs === "verify" ? { method: "POST", body: { token } } : {}),
      }));
      if (answer.status !== 200) return refusedOrFault(answer);
      if (!isJsonObject(answer.body)) throw new PeerFault("no JSON object");
      return userOf(answer.body, endpoint === "verify");
    },
    async mayDo(userId, token, action, context) {
      const { answer } = await ask("permission", ["check", "check-permission"], () => ({
        method: "POST",
        headers: headersFor(token, context),
        body: {
          user_id: userId,
          resource: "CHAT",
          resource_type: "CHAT",
          action,
          context: { service: "chat-service", operation: action },
        },
        timeoutMs,
        repeatable: true,
      }));
      if (answer.status === 401) return "unauthenticated";
      if (answer.status !== 200) {
        refusedOrFault(answer);
        return "denied";
      }
      if (!isJsonObject(answer.body)) throw new PeerFault("no JSON object");
      return isAllowed(answer.body) ? "allowed" : "denied";
    },
  };
}

/** One exchange, counted by the breaker: an answer below 500 shows that the peer is at work. */
async function call(
  breaker: CircuitBreaker,
  outage: Outage,
  url: string,
  request: JsonRequest,
): Promise<JsonAnswer> {
  const permit = enter(breaker);
  const askedMs = performance.now();
  try {
    const answer = await fetchJson(url, request);
    const working = answer.status < 500 || isMissing(answer);
    permit.settle(working ? "success" : "failure");
    if (working) outage.back();
    else outage.lost(`it answers ${answer.status}`, undefined, askedMs);
    return answer;
  } catch (error) {
    permit.settle("failure");
    outage.lost(whyOf(error), error, askedMs);
    throw error;
  }
}

function enter(breaker: CircuitBreaker): ReturnType<CircuitBreaker["enter"]> {
  try {
    return breaker.enter();
  } catch (error) {
    if (error instanceof CircuitOpen) throw new PeerFault("not asked: it has been failing");
    throw error;
  }
}

/** A 4xx is a no (but 408 and 429 are no answer); anything else says nothing about the caller. */
function refusedOrFault({ status }: JsonAnswer): null {
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) return null;
  throw new PeerFault(`status ${status}`);
}

/** `{success, data: {id, username, email, role}}` or `{valid, user_id, username, role, permissions}`, in any mixture. */
function userOf(body: JsonObject, mustBeValid: boolean): BaseServiceUser | null {
  const data = isJsonObject(body["data"]) ? { ...body, ...body["data"] } : body;
  const valid = data["valid"];
  if (body["success"] === false || (mustBeValid ? valid !== true : valid === false)) return null;
  if (data["is_active"] === false || blockedStatuses.has(data["status"])) return null;
  const given = data["user_id"] ?? data["id"] ?? data["sub"];
  // No word about anybody: not what was asked for, so not a no either.
  if (given === undefined || given === null) throw new PeerFault("no user in the answer");
  const userId = userIdOf(given);
  if (userId === null) return null;
  return {
    userId,
    roles: [...new Set([...namesOf([data["role"]]), ...namesOf(data["roles"])])],
    permissions: permissionsOf(data["permissions"]),
  };
}

const blockedStatuses = new Set<unknown>(["inactive", "suspended", "disabled", "pending"]);

/** At least one spelling says yes, and none of them says anything else. */
function isAllowed(body: JsonObject): boolean {
  const data = isJsonObject(body["data"]) ? body["data"] : {};
  const verdicts = [body, data].flatMap((part) =>
    ["allowed", "has_permission"].filter((name) => name in part).map((name) => part[name]),
  );
  return (
    body["success"] !== false && verdicts.length > 0 && verdicts.every((said) => said === true)
  );
}
