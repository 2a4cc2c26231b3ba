import type { FastifySchemaCompiler } from "fastify";
import type { Static, TSchema } from "typebox";
import { Compile } from "typebox/compile";
import type { TLocalizedValidationError } from "typebox/error";
import { Locale, Settings } from "typebox/system";
import { isRequired, mustBeOneOf, Problem, type ProblemDetail } from "../problems/problem.ts";
import { closed, unknownMember } from "./closed-body.ts";
import { completer } from "./defaults.ts";
import { memberSizes } from "./member-size.ts";
import { findUnstorable } from "./unstorable.ts";

const maxDetails = 20;

// Of a union there is one for each alternative.
Settings.Set({ maxErrors: 5 * maxDetails });

/**
 * Compiles a schema; that takes about a millisecond, so it is done at start. Bodies mean what they say, and hold what is
 * described and nothing else; the strings of a query stand for numbers and booleans too.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema: given, httpPart }) => {
  const schema = httpPart === "body" ? closed(given) : given;
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
    return { error: failed(toDetails(validator.Errors(value), schema)) };
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
function toDetails(errors: readonly TLocalizedValidationError[], schema: TSchema): ProblemDetail[] {
  const unions = errors.filter(({ keyword }) => keyword === "anyOf");
  return errors
    .filter((error) => !unions.some((union) => isWithin(error, union)))
    .flatMap((error) =>
      error.keyword === "anyOf" ? ofUnion(error, errors, schema) : ofOne(error, schema),
    );
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
  schema: TSchema,
): ProblemDetail[] {
  const within = errors.filter((error) => isWithin(error, union));
  const isOther = ({ keyword, instancePath }: TLocalizedValidationError) =>
    instancePath === union.instancePath && ["type", "const", "anyOf"].includes(keyword);
  if (within.some((error) => !isOther(error))) {
    const isInner = ({ keyword }: TLocalizedValidationError) => keyword === "anyOf";
    const faults = within.filter((error) => isInner(error) || !isOther(error));
    return toDetails(ofMeantKind(union, faults), schema);
  }
  const values = new Map<string, unknown>();
  for (const error of within) {
    // A value has an error for its type as well.
    if (error.keyword === "const") values.set(error.schemaPath, error.params.allowedValue);
    else if (error.keyword === "type" && !values.has(error.schemaPath)) {
      values.set(error.schemaPath, error.params.type);
    }
  }
  return [{ path: pathOf(union), ...mustBeOneOf([...values.values()].map(String)) }];
}

/** Where a member says which alternative is meant, the faults of the others are nobody's. */
function ofMeantKind(
  union: TLocalizedValidationError,
  errors: readonly TLocalizedValidationError[],
): readonly TLocalizedValidationError[] {
  const alternative = ({ schemaPath }: TLocalizedValidationError) =>
    schemaPath.slice(`${union.schemaPath}/anyOf/`.length).split("/", 1)[0];
  const isKind = ({ keyword, instancePath }: TLocalizedValidationError) =>
    keyword === "const" && instancePath.lastIndexOf("/") === union.instancePath.length;
  const others = new Set(errors.filter(isKind).map(alternative));
  const meant = errors.filter((error) => !others.has(alternative(error)));
  return meant.length > 0 ? meant : errors;
}

function ofOne(error: TLocalizedValidationError, schema: TSchema): ProblemDetail[] {
  switch (error.keyword) {
    case "required":
      return error.params.requiredProperties.map((name) => ({
        path: `${error.instancePath}/${name}`,
        ...isRequired,
      }));
    // `additionalProperties` has an error for each of them too.
    case "boolean":
      return [unknownMember(pathOf(error), schema, error.schemaPath.replace(/\/[^/]+$/, ""))];
    case "additionalProperties":
      return [];
    case "const":
      return [
        {
          path: pathOf(error),
          message: `must be ${String(error.params.allowedValue)}`,
          zh: `必须是 ${String(error.params.allowedValue)}`,
        },
      ];
    default:
      return [{ path: pathOf(error), message: error.message, zh: Locale.zh_Hans(error) }];
  }
}

function pathOf({ instancePath }: TLocalizedValidationError): string {
  return instancePath === "" ? "/" : instancePath;
}
