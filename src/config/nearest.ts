import { closest, distance } from "fastest-levenshtein";

/** The candidate most like `name`, and how many letters differ; without candidates an empty name. */
export function nearest(
  name: string,
  candidates: readonly string[],
): { readonly name: string; readonly distance: number } {
  const found = candidates.length === 0 ? "" : closest(name, candidates);
  return { name: found, distance: distance(name, found) };
}
