import { startJsonServer, type JsonServer, type JsonServerRequest } from "./json-server.ts";

interface BaseServiceUserRecord {
  readonly id: string | number;
  readonly username: string;
  readonly role: string;
  readonly permissions?: readonly string[];
}

export interface BaseServiceOptions {
  /** In front of its paths; default /api/v1. */
  readonly prefix?: string;
  /** Which of the two ways to ask for a user exists; default `me`. */
  readonly who?: "me" | "verify";
  /** Where permissions are asked; default `check`. */
  readonly permission?: "check" | "check-permission";
  /** How a verdict is worded; default `has_permission` within `data`. */
  readonly verdict?: (allowed: boolean) => unknown;
}

export interface BaseServiceServer extends JsonServer {
  /** Lets a token stand for a user; null: for nobody any more. */
  setUser(token: string, user: BaseServiceUserRecord | null): void;
  /** Forbids an action to a user. */
  forbid(userId: string, action: string): void;
  /** How often the path that ends so was asked. */
  count(pathEnd: string): number;
}

/** A Base Service with real users and permissions, in one of the spellings its deployments have. */
export async function startBaseService(
  options: BaseServiceOptions = {},
): Promise<BaseServiceServer> {
  const { prefix = "/api/v1", who = "me", permission = "check" } = options;
  const verdict = options.verdict ?? ((allowed) => ({ data: { has_permission: allowed } }));
  const users = new Map<string, BaseServiceUserRecord>();
  const forbidden = new Set<string>();

  function bearerUser({ headers }: JsonServerRequest): BaseServiceUserRecord | undefined {
    return users.get(/^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? "");
  }

  const server = await startJsonServer((request) => {
    const member = (name: string) => (request.body as Record<string, unknown> | undefined)?.[name];
    const endpoint = `${request.method} ${request.path}`;
    if (who === "me" && endpoint === `GET ${prefix}/auth/me`) {
      const user = bearerUser(request);
      if (user === undefined) return { status: 401, body: { detail: "invalid token" } };
      return { status: 200, body: { success: true, data: user } };
    }
    if (who === "verify" && endpoint === `POST ${prefix}/auth/verify`) {
      const user = users.get(String(member("token")));
      if (user === undefined) return { status: 200, body: { valid: false } };
      const { id, ...rest } = user;
      return { status: 200, body: { valid: true, user_id: id, ...rest } };
    }
    const path =
      permission === "check" ? `${prefix}/permissions/check` : `${prefix}/auth/check-permission`;
    if (endpoint === `POST ${path}`) {
      const user = bearerUser(request);
      if (user === undefined) return { status: 401, body: { detail: "invalid token" } };
      const userId = String(member("user_id"));
      const known = member("resource") === "CHAT" && member("resource_type") === "CHAT";
      const allowed = known && !forbidden.has(`${userId} ${String(member("action"))}`);
      return { status: 200, body: { success: true, ...(verdict(allowed) as object) } };
    }
    return { status: 404, body: { detail: "Not Found" } };
  });
  return Object.assign(server as BaseServiceServer, {
    setUser(token: string, user: BaseServiceUserRecord | null) {
      if (user === null) users.delete(token);
      else users.set(token, user);
    },
    forbid(userId: string, action: string) {
      forbidden.add(`${userId} ${action}`);
    },
    count: (pathEnd: string) => server.requests.filter(({ path }) => path.endsWith(pathEnd)).length,
  });
}
