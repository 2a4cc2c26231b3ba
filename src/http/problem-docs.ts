import type { TSchema } from "typebox";
import { problemCatalogue, type ProblemType } from "../problems/catalogue.ts";
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
 * The error responses of a route for its OpenAPI description, with an example for each type. Where a body can be
 * malformed, it can be of the wrong kind too, and of bodies there is only so much room.
 */
export function problemResponses(...types: ProblemType[]): Record<number, ResponseDoc> {
  const byStatus = new Map<number, ProblemType[]>();
  const takesBody = types.includes("malformed_json") || types.includes("unsupported_media_type");
  const ofBody = ["unsupported_media_type", "overloaded"] as const;
  const all = [...types, ...everywhere, ...(takesBody ? ofBody : [])];
  for (const type of new Set(all)) {
    const { status } = problemCatalogue[type];
    byStatus.set(status, [...(byStatus.get(status) ?? []), type]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, names]) => [
      status,
      {
        description: names.map((name) => `\`${name}\``).join(", "),
        content: {
          "application/json": {
            schema: ref("Problem"),
            examples: Object.fromEntries(
              names.map((name) => [name, { value: example(status, name) }]),
            ),
          },
        },
      },
    ]),
  );
}

function example(status: number, type: ProblemType) {
  return {
    success: false,
    error: { code: status, type, message: exampleTexts(type) },
    request_id: "019aab3e-7f1c-7c3a-9d52-0d6f4c1e8a11",
    timestamp: "2026-11-22T10:00:00.000Z",
    path: "/chat/message",
  };
}

/** The catalogue's own words, built from samples. */
function exampleTexts(type: ProblemType): string {
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
  return (problemCatalogue[type].texts as (data: object) => { en: string })(sample).en;
}
