import type { FastifySchemaCompiler } from "fastify";
import type { Static, TSchema } from "typebox";
import { Compile } from "typebox/compile";
import type { TLocalizedValidationError } from "typebox/error";
import { Settings } from "typebox/system";
import { Problem, type ProblemDetail } from "../problems/problem.ts";
import { completer } from "./defaults.ts";
import { memberSizes } from "./member-size.ts";
import { findUnstorable } from "./unstorable.ts";

const maxDetails = 20;

// Of a union there is one for each alternative.
Settings.Set({ maxErrors: 5 * maxDetails });

/**
 * Compiles a schema; that takes about a millisecond, so it is done at start. Bodies mean what they say; the strings of a
 * query stand for numbers and booleans too.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  const complete = completer(schema, httpPart !== "body");
  const findTooLarge = memberSizes(schema);
  return (value: unknown) => {
    const fault = findUnstorable(value);
    if (fault !== null) return { error: failed([fault]) };
    complete(value);
    if (validator.Check(value)) {
      const faults = findTooLarge(value);
      return faults.length === 0 ? { value } : { error: failed(faults) };
    }
    return { error: failed(toDetails(validator.Errors(value))) };
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

/** One detail for each fault that the caller can mend: for a union that is what it may be, or what is wrong within it. */
function toDetails(errors: readonly TLocalizedValidationError[]): ProblemDetail[] {
  const unions = errors.filter(({ keyword }) => keyword === "anyOf");
  return errors
    .filter((error) => !unions.some((union) => isWithin(error, union)))
    .flatMap((error) => (error.keyword === "anyOf" ? ofUnion(error, errors) : ofOne(error)));
}

function isWithin(error: TLocalizedValidationError, union: TLocalizedValidationError): boolean {
  return (
    error.schemaPath.startsWith(`${union.schemaPath}/anyOf/`) &&
    `${error.instancePath}/`.startsWith(`${union.instancePath}/`)
  );
}

function ofUnion(
  union: TLocalizedValidationError,
  errors: readonly TLocalizedValidationError[],
): ProblemDetail[] {
  const within = errors.filter((error) => isWithin(error, union));
  const isOther = ({ keyword, instancePath }: TLocalizedValidationError) =>
    instancePath === union.instancePath && ["type", "const", "anyOf"].includes(keyword);
  const meant = within.filter((error) => !isOther(error));
  if (meant.length > 0) return toDetails(meant);
  const values = new Map<string, unknown>();
  for (const error of within) {
    // A value has an error for its type as well.
    if (error.keyword === "const") values.set(error.schemaPath, error.params.allowedValue);
    else if (error.keyword === "type" && !values.has(error.schemaPath)) {
      values.set(error.schemaPath, error.params.type);
    }
  }
  const allowed = [...values.values()].map(String).join(", ");
  return [{ path: pathOf(union), message: `must be one of ${allowed}` }];
}

function ofOne(error: TLocalizedValidationError): ProblemDetail[] {
  switch (error.keyword) {
    case "required":
      return error.params.requiredProperties.map((name) => ({
        path: `${error.instancePath}/${name}`,
        message: "is required",
      }));
    // `additionalProperties` has an error for each of them too.
    case "boolean":
      return [{ path: pathOf(error), message: "is not known here" }];
    case "additionalProperties":
      return [];
    case "const":
      return [{ path: pathOf(error), message: `must be ${String(error.params.allowedValue)}` }];
    default:
      return [{ path: pathOf(error), message: error.message }];
  }
}

function pathOf({ instancePath }: TLocalizedValidationError): string {
  return instancePath === "" ? "/" : instancePath;
}
