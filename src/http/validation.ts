import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import addFormatsModule from "ajv-formats";
import type { FastifySchemaCompiler } from "fastify";
import type { Static, TSchema } from "typebox";
import { Problem, type ProblemDetail } from "../problems/problem.ts";

/** Deeper JSON is refused: nothing of ours needs it, and recursion over it could exhaust the stack. */
const maxDepth = 32;
const maxDetails = 20;

/** CommonJS module seen from ESM: the function is its `default`. */
const addFormats = addFormatsModule as unknown as (ajv: Ajv) => void;

function createAjv(coerceTypes: boolean): Ajv {
  const ajv = new Ajv({ coerceTypes, useDefaults: true, allErrors: true, strict: false });
  addFormats(ajv);
  return ajv;
}

/** Bodies mean what they say; the strings of a query stand for numbers and booleans too. */
const bodyAjv = createAjv(false);
const stringAjv = createAjv(true);

export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validate: ValidateFunction = (httpPart === "body" ? bodyAjv : stringAjv).compile(schema);
  return (value: unknown) => {
    const faults = findUnstorable(value);
    if (faults !== null) return { error: failed([faults]) };
    if (validate(value)) return { value };
    return { error: failed((validate.errors ?? []).map(toDetail)) };
  };
};

/** Checks what did not come as the body of a request. Raises `validation_failed`. */
export function createBodyCheck<T extends TSchema>(schema: T): (value: unknown) => Static<T> {
  const check = compileValidator({ schema, method: "POST", url: "", httpPart: "body" });
  return (value) => {
    const result = check(value) as { error?: Problem; value?: Static<T> };
    if (result.error !== undefined) throw result.error;
    return result.value as Static<T>;
  };
}

function failed(details: readonly ProblemDetail[]): Problem {
  return new Problem("validation_failed", {}, { details: details.slice(0, maxDetails) });
}

function toDetail(error: ErrorObject): ProblemDetail {
  const { instancePath, keyword, params, message = "is not valid" } = error;
  if (keyword === "required") {
    return {
      path: `${instancePath}/${params["missingProperty"] as string}`,
      message: "is required",
    };
  }
  if (keyword === "additionalProperties") {
    return {
      path: `${instancePath}/${params["additionalProperty"] as string}`,
      message: "is not known here",
    };
  }
  if (keyword === "enum") {
    const allowed = (params["allowedValues"] as unknown[]).map(String).join(", ");
    return { path: instancePath, message: `must be one of ${allowed}` };
  }
  if (keyword === "const") {
    return { path: instancePath, message: `must be ${String(params["allowedValue"])}` };
  }
  return { path: instancePath === "" ? "/" : instancePath, message };
}

/** PostgreSQL stores neither NUL nor half surrogate pairs, in text as in jsonb; depth is checked on the way. */
function findUnstorable(root: unknown): ProblemDetail | null {
  const pending: { value: unknown; path: string; depth: number }[] = [
    { value: root, path: "", depth: 0 },
  ];
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    const { value, path, depth } = item;
    if (typeof value === "string") {
      const fault = unstorable(value);
      if (fault !== null) return { path: path || "/", message: fault };
    } else if (typeof value === "object" && value !== null) {
      if (depth >= maxDepth) {
        return { path: path.slice(0, 100), message: `is nested deeper than ${maxDepth} levels` };
      }
      for (const [key, member] of Object.entries(value)) {
        const fault = unstorable(key);
        if (fault !== null) return { path: path || "/", message: `has a name that ${fault}` };
        pending.push({ value: member, path: `${path}/${key}`, depth: depth + 1 });
      }
    }
  }
  return null;
}

function unstorable(text: string): string | null {
  if (text.includes("\u0000")) return "contains the character NUL, which cannot be stored";
  return text.isWellFormed() ? null : "contains half of a surrogate pair (not valid Unicode)";
}
