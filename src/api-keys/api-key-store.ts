import type { Database, Queryable } from "../database/database.ts";
import { toJsonb } from "../lib/clean-text.ts";
import type { ApiKey } from "./api-key.ts";

export type ApiKeyStore = ReturnType<typeof createApiKeyStore>;

export type NewApiKey = Omit<ApiKey, "createdAt" | "expiresAt" | "revokedAt" | "lastUsedAt"> & {
  readonly sha256: string;
  readonly expiresInSeconds: number | null;
};

const columns = `key_id AS "keyId", name, hint, user_id AS "userId", roles, scopes,
  acts_for_users AS "actsForUsers", on_disconnect AS "onDisconnect", created_by AS "createdBy",
  created_at AS "createdAt", expires_at AS "expiresAt", revoked_at AS "revokedAt", last_used_at AS "lastUsedAt"`;
const isLive = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())";

/** All SQL of keys. */
export function createApiKeyStore(database: Database) {
  /** Also keeps those who change keys one behind the other until they commit. */
  const noteChange = (tx: Queryable) =>
    tx.query("UPDATE api_key_changes SET version = version + 1");

  return {
    /** Null: another key has the name. One whose time is over gives it up. */
    async insert(tx: Queryable, key: NewApiKey): Promise<ApiKey | null> {
      await noteChange(tx);
      await tx.query(
        "UPDATE api_keys SET revoked_at = expires_at WHERE name = $1 AND revoked_at IS NULL AND expires_at <= now()",
        [key.name],
      );
      const { rows } = await tx.query<ApiKey>(
        `INSERT INTO api_keys (key_id, name, sha256, hint, user_id, roles, scopes, acts_for_users, on_disconnect,
           created_by, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7::jsonb, $8, $9, $10, now() + make_interval(secs => $11))
         ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING RETURNING ${columns}`,
        [
          key.keyId,
          key.name,
          key.sha256,
          key.hint,
          key.userId,
          toJsonb(key.roles),
          key.scopes && toJsonb(key.scopes),
          key.actsForUsers,
          key.onDisconnect,
          key.createdBy,
          key.expiresInSeconds,
        ],
      );
      return rows[0] ?? null;
    },

    /** As it is then, also when it was revoked before; null: there is none. */
    async revoke(tx: Queryable, keyId: string): Promise<ApiKey | null> {
      await noteChange(tx);
      const { rows } = await tx.query<ApiKey>(
        `UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = $1 RETURNING ${columns}`,
        [keyId],
      );
      return rows[0] ?? null;
    },

    async count(tx: Queryable): Promise<number> {
      const { rows } = await tx.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM api_keys WHERE ${isLive}`,
      );
      return rows[0]?.count ?? 0;
    },

    /** The newest first, behind `before`; those that were revoked or have expired where they are wanted. */
    async list(before: string | undefined, limit: number, withEnded: boolean): Promise<ApiKey[]> {
      const { rows } = await database.query<ApiKey>(
        `SELECT ${columns} FROM api_keys WHERE ($1::uuid IS NULL OR key_id < $1) AND ($3 OR ${isLive})
         ORDER BY key_id DESC LIMIT $2`,
        [before ?? null, limit, withEnded],
      );
      return rows;
    },

    async version(): Promise<number> {
      const { rows } = await database.query<{ version: number }>(
        "SELECT version FROM api_key_changes",
      );
      return rows[0]?.version ?? 0;
    },

    /** Those that let somebody in. */
    async live(): Promise<readonly (ApiKey & { readonly sha256: string })[]> {
      const { rows } = await database.query<ApiKey & { sha256: string }>(
        `SELECT ${columns}, sha256 FROM api_keys WHERE ${isLive}`,
      );
      return rows;
    },

    async used(keys: ReadonlyMap<string, Date>): Promise<void> {
      await database.query(
        `UPDATE api_keys k SET last_used_at = greatest(k.last_used_at, u.at)
         FROM unnest($1::uuid[], $2::timestamptz[]) AS u (key_id, at) WHERE k.key_id = u.key_id`,
        [[...keys.keys()], [...keys.values()].map((at) => at.toISOString())],
      );
    },
  };
}
