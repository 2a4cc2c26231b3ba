import type { TSchema } from "typebox";
import { problemCatalogue, type ProblemType } from "../problems/catalogue.ts";
import { Problem } from "../problems/problem.ts";
import { problemBody, type ErrorShape } from "./errors.ts";
import { ref } from "./schemas.ts";

interface ResponseDoc {
  readonly description: string;
  readonly content: { readonly "application/json": { schema: TSchema; examples: object } };
}

/** Errors that any route can answer with. */
const everywhere: readonly ProblemType[] = [
  "bad_request",
  "unauthorized",
  "forbidden",
  "payload_too_large",
  "validation_failed",
  "rate_limited",
  "internal_error",
  "storage_unavailable",
];

/**
 * What gives the error responses of a route for its OpenAPI description, with an example for each type: as `schema` has
 * them and `body` makes them.
 */
export function errorDocs(schema: string, body: ErrorShape["body"]) {
  return (...types: readonly ProblemType[]): Record<string, ResponseDoc> =>
    Object.fromEntries(
      [...byStatus(types)].map(([status, names]) => [
        status,
        {
          description: names.map((name) => `\`${name}\``).join(", "),
          content: {
            "application/json": {
              schema: ref(schema),
              examples: Object.fromEntries(
                names.map((name) => [name, { value: body(example(name), "en") }]),
              ),
            },
          },
        },
      ]),
    );
}

/** By status. Where a body can be malformed, it can be of the wrong kind too, and of bodies there is only so much room. */
function byStatus(types: readonly ProblemType[]): ReadonlyMap<number, readonly ProblemType[]> {
  const takesBody = types.includes("malformed_json") || types.includes("unsupported_media_type");
  const ofBody = ["unsupported_media_type", "overloaded"] as const;
  const all = new Set([...types, ...everywhere, ...(takesBody ? ofBody : [])]);
  return Map.groupBy(all, (type) => problemCatalogue[type].status);
}

/** Those of our own paths. */
export const problemResponses = errorDocs("Problem", (problem, language) =>
  problemBody(problem, {
    id: "019aab3e-7f1c-7c3a-9d52-0d6f4c1e8a11",
    language,
    originalUrl: "/chat/message",
    at: new Date("2026-11-22T10:00:00.000Z"),
  }),
);

/** In the catalogue's own words, built from samples. */
function example(type: ProblemType): Problem {
  const sample = {
    sessionId: "019aab3e-…",
    messageId: "019aab3f-…",
    audioId: "019aab40-…",
    attachmentId: "019aab41-…",
    agentId: "general-chat",
    status: "complete",
    method: "GET",
    allowed: "POST",
    path: "/nowhere",
    got: "text/csv",
    expected: "application/json",
    en: "The request cannot be understood.",
    zh: "",
    parameter: "tools",
    seconds: 8,
    keyId: "019aab42-…",
    limit: 8,
  };
  return new Problem(type, sample);
}
