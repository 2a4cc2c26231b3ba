import type { AuditLog } from "../audit/audit-log.ts";
import type { Database, Queryable } from "../database/database.ts";
import type { Caller } from "../http/caller.ts";
import { actedNameFault, isActedUser } from "../identity/acting.ts";
import { isAgentRight } from "../identity/agent-rights.ts";
import { userIdOf } from "../identity/claims.ts";
import { actions } from "../identity/identity.ts";
import { holdsUnseen } from "../lib/clean-text.ts";
import { newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import { newKey, type ApiKey } from "./api-key.ts";
import type { ApiKeyStore } from "./api-key-store.ts";
import { exceededBy } from "./grant.ts";

/** What somebody wants a key to be. */
export interface WantedApiKey {
  readonly name: string;
  readonly userId: string;
  readonly roles: readonly string[];
  readonly scopes: readonly string[] | null;
  readonly actsForUsers: boolean;
  readonly onDisconnect: "continue" | "cancel" | null;
  readonly expiresInSeconds: number | null;
}

interface MakeParts {
  readonly database: Database;
  readonly store: Pick<ApiKeyStore, "insert" | "count">;
  readonly audit: Pick<AuditLog, "insert">;
  /** Names that the configuration has given. */
  readonly configured: ReadonlySet<string>;
}

/** That let somebody in. All nodes keep them in memory. */
const maxKeys = 1_000;

/** Makes keys. Raises `validation_failed` for what no key may be, `forbidden` for what its maker may not do himself. */
export function createMakeApiKey({ database, store, audit, configured }: MakeParts) {
  return async (
    wanted: WantedApiKey,
    caller: Caller,
  ): Promise<{ readonly key: string; readonly apiKey: ApiKey }> => {
    const maker = caller.identity;
    checkWanted(wanted);
    const exceeded = maker === null ? null : exceededBy(wanted, maker);
    if (exceeded !== null) throw new Problem("forbidden", { action: exceeded });
    if (configured.has(wanted.name)) throw invalid("/name", taken);
    const { key, ...secret } = newKey();
    const { expiresInSeconds, ...rest } = wanted;
    const apiKey = await database.transaction(async (tx) => {
      const made = await store.insert(tx, {
        ...rest,
        ...secret,
        expiresInSeconds,
        keyId: newId(),
        createdBy: maker?.userId ?? null,
      });
      if (made === null) throw invalid("/name", taken);
      if ((await store.count(tx)) > maxKeys) throw invalid("", tooMany);
      await noteKey(audit, tx, caller, made);
      return made;
    });
    return { key, apiKey };
  };
}

/** With the change itself: neither happens without the other. */
export async function noteKey(
  audit: Pick<AuditLog, "insert">,
  tx: Queryable,
  { audit: own }: Caller,
  { keyId, name, userId }: ApiKey,
): Promise<void> {
  if (own !== undefined) await audit.insert(tx, own.entry(userId, { key_id: keyId, name }));
}

interface Fault {
  readonly message: string;
  readonly zh: string;
}

const taken = { message: "is the name of another key", zh: "已被另一个密钥使用" };
const tooMany = {
  message: `there are ${maxKeys} keys; revoke some first`,
  zh: `已有 ${maxKeys} 个密钥；请先撤销一些`,
};

function checkWanted({ name, userId, roles, scopes, actsForUsers }: WantedApiKey): void {
  if (name.trim() !== name || holdsUnseen(name)) {
    throw invalid("/name", {
      message: "must hold no characters that nobody sees, and no blanks at its ends",
      zh: "不得含有不可见字符，首尾不得有空白",
    });
  }
  if (userIdOf(userId) === null) {
    throw invalid("/user_id", {
      message: isActedUser(userId)
        ? "must not be one for whom a key acts (via:…)"
        : "must hold no characters that nobody sees, and no blanks at its ends",
      zh: isActedUser(userId)
        ? "不得是由密钥代理的用户（via:…）"
        : "不得含有不可见字符，首尾不得有空白",
    });
  }
  for (const [index, scope] of (scopes ?? []).entries()) {
    if (actions.some((action) => action === scope) || isAgentRight(scope)) continue;
    throw invalid(`/scopes/${index}`, {
      message: `must be one of ${actions.join(", ")}, agents:<id>:run`,
      zh: `必须是 ${actions.join("、")} 或 agents:<id>:run 之一`,
    });
  }
  const fault = actsForUsers ? actedNameFault({ name, roles }) : null;
  if (fault !== null) throw invalid("/acts_for_users", fault);
}

function invalid(path: string, fault: Fault): Problem {
  return new Problem("validation_failed", {}, { details: [{ path, ...fault }] });
}
