import { Problem, type ProblemDetail } from "../problems/problem.ts";

/** What is wrong with the part of a body at `path` (JSON pointer). */
export function faulty(path: string, message: string, zh: string): Problem {
  const texts = { en: "The request is not valid.", zh: "请求无效。" };
  return new Problem("bad_request", texts, { details: [{ path, message, zh }] });
}

/** Faults of members that have another name here, under that name. */
export function renamed(names: Readonly<Record<string, string>>) {
  return (error: unknown): never => {
    if (!(error instanceof Problem) || error.details === undefined) throw error;
    const details = error.details.map(({ path, ...texts }): ProblemDetail => {
      const name = names[path.slice(1)];
      return { path: name === undefined ? path : `/${name}`, ...texts };
    });
    throw new Problem(error.type, error.data, { details, cause: error });
  };
}
