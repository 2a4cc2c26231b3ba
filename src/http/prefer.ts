import type { FastifyReply, FastifyRequest } from "fastify";
import { ref } from "./schemas.ts";

const quoted = /"(?:[^"\\]|\\.)*"/g;

/** Whether `Prefer` (RFC 7240) asks for an answer before the work is done. */
export function prefersAsync(request: Pick<FastifyRequest, "headers">): boolean {
  const given = request.headers["prefer"];
  const text = (Array.isArray(given) ? given.join(",") : (given ?? "")).replaceAll(quoted, '""');
  return text.split(",").some((preference) => /^\s*respond-async\s*(?:;|$)/i.test(preference));
}

/** An answer that is given because the caller prefers not to wait; `location` says where the work is followed. */
export function acceptedAsync(reply: FastifyReply, location: string): void {
  void reply.code(202).header("Preference-Applied", "respond-async").header("Location", location);
}

/** The same where the caller has not asked for it. */
export function acceptedLater(reply: FastifyReply, location: string): void {
  void reply.code(202).header("Location", location);
}

/** The headers of a route that knows `Prefer`. */
export function withPrefer(headers: { readonly type: string; readonly properties: object }) {
  return {
    ...headers,
    properties: {
      ...headers.properties,
      prefer: {
        type: "string",
        description: "`respond-async`: 202 as soon as the message is stored (RFC 7240).",
      },
    },
  };
}

export const acceptedResponse = {
  description:
    "With `Prefer: respond-async`, or where nothing goes on before a person has decided about an earlier reply: the " +
    "message is stored. Its reply is found, and followed, by its id.",
  headers: {
    Location: { type: "string", description: "Path of the reply." },
    "Preference-Applied": { type: "string" },
  },
  content: { "application/json": { schema: ref("Accepted") } },
};
