import type { FastifyRequest } from "fastify";
import { fingerprint, type IdempotencyKey } from "./idempotency-store.ts";
import { Problem } from "../problems/problem.ts";

const keyPattern = /^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/** The caller's `Idempotency-Key` with what it asks for; null without one. Raises `validation_failed` for a bad one. */
export function idempotencyKey(
  request: FastifyRequest,
  operation: string,
  body: unknown = request.body,
): IdempotencyKey | null {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return null;
  if (typeof key !== "string" || !keyPattern.test(key)) {
    throw new Problem(
      "validation_failed",
      {},
      {
        details: [
          {
            path: "/headers/idempotency-key",
            message: "must be 1 to 255 printable ASCII characters",
            zh: "必须是 1 至 255 个可打印的 ASCII 字符",
          },
        ],
      },
    );
  }
  return { key, fingerprint: fingerprint(operation, body) };
}

export const idempotencyHeaders = {
  type: "object",
  properties: {
    "idempotency-key": {
      type: "string",
      description: "A repeat with the same key and body gets the first answer again. Kept 24 h.",
    },
  },
};
