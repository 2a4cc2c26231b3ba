import type { ErrorShape } from "../../http/errors.ts";
import type { Problem } from "../../problems/problem.ts";
import type { Language } from "../../problems/catalogue.ts";

/** A refusal as what it is to these clients: the end of a run that has not begun. */
export function runError(problem: Problem, language: Language) {
  const told = (problem.faults(language) ?? [])
    .map(({ path, message }) => `${path.length < 2 ? "the body" : path.slice(1)} ${message}`)
    .join("; ");
  const message = told === "" ? problem.text(language) : told;
  return { type: "RUN_ERROR" as const, message, code: problem.type };
}

/** Errors of everything below a path of AG-UI's or of CopilotKit's. */
export function runErrors(prefix: string): ErrorShape {
  return { prefix, body: runError, headers: () => ({}) };
}
