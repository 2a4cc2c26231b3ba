import type { ErrorShape } from "../../http/errors.ts";
import type { Language } from "../../problems/catalogue.ts";
import type { Problem } from "../../problems/problem.ts";

/** Clients show the body as it is: as short as it can be. */
export function chatError(problem: Problem, language: Language) {
  const told = (problem.faults(language) ?? [])
    .map(({ path, message }) => `${path === "" ? "the body" : path.slice(1)} ${message}`)
    .join("; ");
  return { error: told === "" ? problem.text(language) : told, type: problem.type };
}

/** Errors of everything below `/ai`. */
export const chatErrors: ErrorShape = { prefix: "/ai/", body: chatError, headers: () => ({}) };
