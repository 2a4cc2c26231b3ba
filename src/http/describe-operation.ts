import type { FastifySchema, RouteOptions } from "fastify";
import { closed } from "./closed-body.ts";

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly default?: unknown }>>;
  readonly required?: readonly string[];
}

/** What is asked of these wherever they stand, in one place for all routes. */
const everywhere: Readonly<Record<string, object>> = {
  user_id: {
    minLength: 1,
    maxLength: 128,
    pattern: String.raw`^(?=.*\S)[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$`,
  },
  "idempotency-key": {
    minLength: 1,
    maxLength: 255,
    pattern: String.raw`^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$`,
  },
};

/**
 * What the document says of an operation beside its schemas: a name for generated clients, that nobody has to sign in
 * for a public one, that a member with a default can be left out, that a body holds no other members, and what is asked
 * of members that every route has.
 */
export function describeOperation({
  schema,
  url,
  route,
}: {
  readonly schema: FastifySchema;
  readonly url: string;
  readonly route: Pick<RouteOptions, "method" | "config">;
}): { schema: FastifySchema; url: string } {
  const isPublic = route.config?.isPublic === true;
  return {
    url,
    schema: {
      ...schema,
      operationId: operationId(String(route.method), url),
      ...(isPublic && { security: [] }),
      ...(schema.body !== undefined && {
        body: closed(asAskedEverywhere(withDefaultsOptional(schema.body))),
      }),
      ...(schema.querystring !== undefined && {
        querystring: asAskedEverywhere(withDefaultsOptional(schema.querystring)),
      }),
      ...(schema.params !== undefined && { params: asAskedEverywhere(schema.params) }),
      ...(schema.headers !== undefined && { headers: asAskedEverywhere(schema.headers) }),
    },
  };
}

/** `GET /chat/message/:message_id/stream` is `getChatMessageStream`, `GET /sessions/:session_id` `getSessionsById`. */
function operationId(method: string, url: string): string {
  const path = url.split("/").filter((part) => part !== "");
  const named = path
    .filter((part) => !part.startsWith(":"))
    .flatMap((part) => part.split(/[._-]/))
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  const ending = path.at(-1)?.startsWith(":") === true ? "ById" : path.length === 0 ? "Root" : "";
  return `${method.toLowerCase()}${named.join("")}${ending}`;
}

function asAskedEverywhere(schema: unknown): object {
  const { properties } = schema as ObjectSchema;
  if (properties === undefined) return schema as object;
  const named = Object.entries(properties).map(([name, member]) => [
    name,
    { ...member, ...(Object.hasOwn(everywhere, name) && everywhere[name]) },
  ]);
  return { ...(schema as object), properties: Object.fromEntries(named) as object };
}

function withDefaultsOptional(schema: unknown): object {
  const { properties, required } = schema as ObjectSchema;
  if (properties === undefined || required === undefined) return schema as object;
  return {
    ...(schema as object),
    required: required.filter((name) => properties[name]?.default === undefined),
  };
}
