import { Script } from "node:vm";
import { Check } from "typebox/schema";

/** Most schemas take less than one, more where the machine is busy. */
const maxMs = 200;

/** Run in a context of its own because only that can be bounded in time. */
const check = new Script("check()");

/**
 * Whether a value is as a schema wants it. The schema is its caller's, so that it may name patterns that never end,
 * references that go round, or what is no schema at all: then nothing is known. Nothing is fetched for a reference.
 */
export function fitOf(
  schema: object,
  value: unknown,
  limitMs = maxMs,
): "fits" | "mismatch" | "unchecked" {
  try {
    const fits: unknown = check.runInNewContext(
      { check: () => Check(schema, value) },
      { timeout: limitMs },
    );
    return fits === true ? "fits" : "mismatch";
  } catch {
    // It took too long, went too deep or has a pattern that is none: told as `schema_unchecked`.
    return "unchecked";
  }
}
