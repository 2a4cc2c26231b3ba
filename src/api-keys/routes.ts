import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import type { AuditLog } from "../audit/audit-log.ts";
import type { Database } from "../database/database.ts";
import { checkAdmin, requireAction, requireAdmin } from "../http/caller.ts";
import { decodeCursor, encodeCursor } from "../http/cursor.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter, nullable, timestampSchema } from "../http/schemas.ts";
import { actions, type IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { ApiKey } from "./api-key.ts";
import type { ApiKeyStore } from "./api-key-store.ts";
import type { KnownKeys } from "./known-keys.ts";
import { createMakeApiKey, noteKey } from "./make-api-key.ts";

interface ApiKeyRoutesOptions {
  readonly database: Database;
  readonly apiKeys: ApiKeyStore;
  readonly knownKeys: Pick<KnownKeys, "refresh">;
  /** Names that the configuration has given. */
  readonly configured: ReadonlySet<string>;
  readonly audit: Pick<AuditLog, "insert">;
  readonly identity: IdentityProvider;
}

const tags = ["API keys"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];
const daySeconds = 86_400;
/** No characters that nobody sees, and no blanks at its ends. */
const visible = String.raw`(?=\S)(?=.*\S$)[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$`;
const name = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: `^${visible}`,
  examples: ["webui"],
});
const onDisconnect = Type.Union([Type.Literal("continue"), Type.Literal("cancel")]);
const scopes = Type.Array(
  Type.String({
    maxLength: 256,
    pattern: String.raw`^(?:${actions.join("|")}|agents:[^\s/\p{Cc}]{1,200}:run)$`,
  }),
  {
    maxItems: 100,
    description:
      "Actions, and agents as `agents:<id>:run`; nothing else is allowed then, whatever the roles say.",
    examples: [["access_chat_session", "send_message", "agents:general-chat:run"]],
  },
);
const keyBody = Type.Object(
  {
    name,
    user_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        pattern: `^(?!via:)${visible}`,
        description: "Whose it is; else its name.",
      }),
    ),
    roles: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { maxItems: 20 }),
    ),
    scopes: Type.Optional(nullable(scopes)),
    acts_for_users: Type.Boolean({
      default: false,
      description: "It acts for the user whom `X-User-Id` or OpenAI's `user` names.",
    }),
    on_disconnect: Type.Optional(nullable(onDisconnect)),
    expires_in: Type.Optional(
      nullable(
        Type.Integer({
          minimum: 1,
          maximum: 3660 * daySeconds,
          description: "Seconds from now on that it works; else until it is revoked.",
        }),
      ),
    ),
  },
  { title: "NewApiKey", examples: [{ name: "webui", acts_for_users: true }] },
);
const keySchema = Type.Object({
  key_id: Type.String({ format: "uuid" }),
  name: Type.String(),
  hint: Type.String({ description: "How it begins.", examples: ["csk_Zm9vYm"] }),
  user_id: Type.String(),
  roles: Type.Array(Type.String()),
  scopes: nullable(Type.Array(Type.String())),
  acts_for_users: Type.Boolean(),
  on_disconnect: nullable(onDisconnect),
  created_by: nullable(Type.String()),
  created_at: timestampSchema,
  expires_at: nullable(timestampSchema),
  revoked_at: nullable(timestampSchema),
  last_used_at: nullable(
    Type.String({ format: "date-time", description: "To the minute, and told a minute later." }),
  ),
});
const params = Type.Object({ key_id: idParameter("A key.") });

/** Keys of services and front ends: made, listed and revoked by administrators, on all nodes at once. */
export function apiKeyRoutes(options: ApiKeyRoutesOptions): FastifyPluginAsyncTypebox {
  const { database, apiKeys, knownKeys, identity } = options;
  const make = createMakeApiKey({ ...options, store: apiKeys });
  return async (app) => {
    app.post(
      "/api-keys",
      {
        schema: {
          tags,
          security,
          summary: "Make an API key (admin)",
          description: "The key itself is in this answer and nowhere else: only its hash is kept.",
          body: keyBody,
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              key: Type.String({ description: "Sent as `X-API-Key` or as a Bearer token." }),
              api_key: keySchema,
            }),
            ...problemResponses("malformed_json", "forbidden"),
          },
        },
      },
      async (request) => {
        checkAdmin(request);
        await requireAction(request, identity, "manage_sessions");
        const { body } = request;
        const { key, apiKey } = await make(
          {
            name: body.name,
            userId: body.user_id ?? body.name,
            roles: body.roles ?? [],
            scopes: body.scopes ?? null,
            actsForUsers: body.acts_for_users,
            onDisconnect: body.on_disconnect ?? null,
            expiresInSeconds: body.expires_in ?? null,
          },
          request,
        );
        await knownKeys.refresh();
        return { success: true as const, key, api_key: keyInfo(apiKey) };
      },
    );

    app.get(
      "/api-keys",
      {
        schema: {
          tags,
          security,
          summary: "The API keys that there are, newest first (admin)",
          description: "Those of `auth.api_keys` are in the configuration, not here.",
          querystring: Type.Object({
            include_ended: Type.Boolean({
              default: false,
              description: "Also those that were revoked or have expired.",
            }),
            limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
            cursor: Type.Optional(Type.String({ maxLength: 500 })),
          }),
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              api_keys: Type.Array(keySchema),
              pagination: Type.Object({
                limit: Type.Integer(),
                has_more: Type.Boolean(),
                next_cursor: nullable(Type.String()),
              }),
            }),
            ...problemResponses("forbidden"),
          },
        },
      },
      async (request) => {
        await requireAdmin(request);
        await requireAction(request, identity, "manage_sessions");
        const { limit, cursor, include_ended: withEnded } = request.query;
        const before = cursor === undefined ? undefined : decodeCursor(cursor, isPosition).keyId;
        const found = await apiKeys.list(before, limit + 1, withEnded);
        const shown = found.slice(0, limit);
        const last = found.length > limit ? shown.at(-1) : undefined;
        return {
          success: true as const,
          api_keys: shown.map(keyInfo),
          pagination: {
            limit,
            has_more: last !== undefined,
            next_cursor: last === undefined ? null : encodeCursor({ keyId: last.keyId }),
          },
        };
      },
    );

    app.delete(
      "/api-keys/:key_id",
      {
        schema: {
          tags,
          security,
          summary: "Revoke an API key (admin)",
          description:
            "No node takes it any more within two seconds; streams and sockets that it has opened end. Replies go on.",
          params,
          response: {
            200: Type.Object({ success: Type.Literal(true), api_key: keySchema }),
            ...problemResponses("forbidden", "api_key_not_found"),
          },
        },
      },
      async (request) => {
        checkAdmin(request);
        await requireAction(request, identity, "manage_sessions");
        const { key_id: keyId } = request.params;
        const revoked = isId(keyId)
          ? await database.transaction(async (tx) => {
              const key = await apiKeys.revoke(tx, keyId);
              if (key === null) return null;
              await noteKey(options.audit, tx, request, key);
              return key;
            })
          : null;
        if (revoked === null) throw new Problem("api_key_not_found", { keyId });
        await knownKeys.refresh();
        return { success: true as const, api_key: keyInfo(revoked) };
      },
    );
  };
}

function isPosition(value: unknown): value is { readonly keyId: string } {
  const keyId = (value as { keyId?: unknown } | null)?.keyId;
  return typeof keyId === "string" && isId(keyId);
}

function keyInfo(key: ApiKey) {
  return {
    key_id: key.keyId,
    name: key.name,
    hint: key.hint,
    user_id: key.userId,
    roles: [...key.roles],
    scopes: key.scopes && [...key.scopes],
    acts_for_users: key.actsForUsers,
    on_disconnect: key.onDisconnect,
    created_by: key.createdBy,
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
  };
}
