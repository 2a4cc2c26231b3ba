import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { requireAction, requireAdmin } from "../http/caller.ts";
import { decodeCursor, encodeCursor } from "../http/cursor.ts";
import { moment } from "../http/moment.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { nullable, timestampSchema } from "../http/schemas.ts";
import { bodyOf } from "../http/send-pieces.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import type { AuditFilter, AuditLog, StoredAuditEntry } from "./audit-log.ts";

interface AuditRoutesOptions {
  readonly audit: Pick<AuditLog, "page">;
  readonly identity: IdentityProvider;
}

const jsonLines = "application/jsonl";
const linesAtOnce = 500;
const name = Type.Optional(Type.String({ minLength: 1, maxLength: 256 }));
const outcome = Type.Union([Type.Literal("allowed"), Type.Literal("failed")], {
  description:
    "`allowed`: noted before it was done, without which it is not done; `failed`: what the same request was allowed was " +
    "not done after all.",
});
const time = (description: string) =>
  Type.Optional(Type.String({ format: "date-time", description }));
const entrySchema = Type.Object({
  entry_id: Type.String({ format: "uuid" }),
  at: timestampSchema,
  actor: nullable(Type.String({ description: "Who; null where nobody has to prove anything." })),
  key_name: nullable(Type.String({ description: "The API key with which." })),
  action: Type.String({
    description: "What: a method and the pattern of a path.",
    examples: ["DELETE /sessions/:session_id"],
  }),
  subject: nullable(Type.String({ description: "On whom; null: on nobody alone." })),
  target: Type.Record(Type.String(), Type.String(), { description: "Ids." }),
  request_id: Type.String(),
  address: Type.String(),
  outcome,
  status: nullable(Type.Integer({ description: "Of the answer, where it failed." })),
});
const pageResponse: object = {
  description: "A page, or with `Accept: application/jsonl` one entry a line, all of them.",
  content: {
    "application/json": {
      schema: Type.Object({
        success: Type.Literal(true),
        entries: Type.Array(entrySchema),
        pagination: Type.Object({
          limit: Type.Integer(),
          has_more: Type.Boolean(),
          next_cursor: nullable(Type.String()),
        }),
      }),
    },
    [jsonLines]: { schema: entrySchema },
  },
};

/** What administrators did and what was reached of other users', for administrators. Nothing here changes or deletes it. */
export function auditRoutes({ audit, identity }: AuditRoutesOptions): FastifyPluginAsyncTypebox {
  async function* linesOf(filter: AuditFilter, from: string | undefined, count: number) {
    let before = from;
    for (let left = count; left > 0;) {
      const limit = Math.min(left, linesAtOnce);
      const entries = await audit.page(filter, { before, limit });
      for (const entry of entries) yield `${JSON.stringify(entryInfo(entry))}\n`;
      before = entries.at(-1)?.entryId;
      if (entries.length < limit || before === undefined) return;
      left -= entries.length;
    }
  }

  return async (app) => {
    app.get(
      "/audit",
      {
        schema: {
          tags: ["Audit"],
          security: [{ bearer: [] }, { apiKey: [] }, {}],
          summary: "What administrators did, and what was reached of others', newest first (admin)",
          description:
            "With `Accept: application/jsonl` one object a line, all of them behind `cursor`.",
          querystring: Type.Object({
            actor: name,
            key_name: name,
            subject: name,
            action: name,
            outcome: Type.Optional(outcome),
            request_id: name,
            since: time("At this time or later."),
            until: time("Before this time."),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
            cursor: Type.Optional(Type.String({ maxLength: 500 })),
          }),
          response: { 200: pageResponse, ...problemResponses("forbidden") },
        },
      },
      async (request, reply) => {
        await requireAdmin(request);
        await requireAction(request, identity, "manage_sessions");
        const { query } = request;
        const filter = {
          actor: query.actor,
          keyName: query.key_name,
          subject: query.subject,
          action: query.action,
          outcome: query.outcome,
          requestId: query.request_id,
          since: moment("since", query.since),
          until: moment("until", query.until),
        };
        const before =
          query.cursor === undefined ? undefined : decodeCursor(query.cursor, isPosition).entryId;
        if (request.headers.accept?.includes(jsonLines) === true) {
          const lines = bodyOf(request, linesOf(filter, before, query.limit ?? Infinity));
          return reply.type(jsonLines).header("Cache-Control", "no-store").send(lines);
        }
        const limit = query.limit ?? 50;
        const found = await audit.page(filter, { before, limit: limit + 1 });
        const shown = found.slice(0, limit);
        const last = found.length > limit ? shown.at(-1) : undefined;
        return reply.send({
          success: true as const,
          entries: shown.map(entryInfo),
          pagination: {
            limit,
            has_more: last !== undefined,
            next_cursor: last === undefined ? null : encodeCursor({ entryId: last.entryId }),
          },
        });
      },
    );
  };
}

function isPosition(value: unknown): value is { readonly entryId: string } {
  const entryId = (value as { entryId?: unknown } | null)?.entryId;
  return typeof entryId === "string" && isId(entryId);
}

function entryInfo(entry: StoredAuditEntry) {
  return {
    entry_id: entry.entryId,
    at: entry.at.toISOString(),
    actor: entry.actor,
    key_name: entry.keyName,
    action: entry.action,
    subject: entry.subject,
    target: entry.target,
    request_id: entry.requestId,
    address: entry.address,
    outcome: entry.outcome,
    status: entry.status,
  };
}
