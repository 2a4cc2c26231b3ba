import { holdsUnseen } from "../lib/clean-text.ts";
import { isActedUser } from "./acting.ts";

/**
 * The user that an issuer's statement names: text of 1..128 characters, or a whole number, which some user tables
 * have. Null for anything that cannot be an owner: empty, blank at an end, with characters that nobody sees (PostgreSQL
 * stores no NUL), half a character, or what can only be a user for whom a front end acts.
 */
export function userIdOf(value: unknown): string | null {
  if (typeof value === "number") {
    return Number.isSafeInteger(value) && value >= 0 ? String(value) : null;
  }
  if (typeof value !== "string" || value.trim() !== value || !value.isWellFormed()) return null;
  const characters = [...value].length;
  if (characters < 1 || characters > 128 || holdsUnseen(value)) return null;
  if (isActedUser(value)) return null;
  return value;
}

/** Names in a list such as `roles`; whatever is no name is left out, and so is all beyond a hundred. */
export function namesOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter((name): name is string => typeof name === "string" && name !== "" && name.length <= 256)
    .slice(0, 100);
}

/** The same for `permissions`, of which those about agents are never left out: they are limits too. */
export function permissionsOf(value: unknown): readonly string[] {
  const isAboutAgents = (name: unknown): name is string =>
    typeof name === "string" && name.startsWith("agents:");
  const about = Array.isArray(value) ? value.filter(isAboutAgents) : [];
  const others = Array.isArray(value) ? value.filter((name) => !isAboutAgents(name)) : [];
  return [...about, ...namesOf(others)];
}

/**
 * Whether a token is there to act with. Refresh tokens, identity tokens and the like are signed by the same key but
 * are meant for other eyes; issuers mark them as `type`, `typ` or `token_use`.
 */
export function isAccessToken(claims: Readonly<Record<string, unknown>>): boolean {
  const marks = [claims["type"], claims["typ"], claims["token_use"]];
  return marks.every(
    (mark) =>
      mark === undefined || (typeof mark === "string" && accessMarks.has(mark.toLowerCase())),
  );
}

const accessMarks = new Set(["access", "access_token", "bearer", "jwt", "at+jwt"]);
