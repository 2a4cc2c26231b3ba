import { Problem } from "../problems/problem.ts";

/** What is wrong with the part of a body at `path` (JSON pointer). */
export function faulty(path: string, message: string, zh: string): Problem {
  const texts = { en: "The request is not valid.", zh: "请求无效。" };
  return new Problem("bad_request", texts, { details: [{ path, message, zh }] });
}
