import { unauthorized } from "./refusals.ts";
import type { Credentials } from "./identity.ts";

/** Longer ones are refused unread: no issuer makes them. */
const maxCredentialLength = 8_192;

/**
 * Reads who is calling from a request's headers, as Node lists them (`request.raw.rawHeaders`: name, value, name,
 * value …): only there can be seen that a header came twice. Two of them are refused (401) even when they are equal,
 * because every proxy on the way may have looked at another one. Nothing else is ever read: no query parameter, no
 * cookie, no other identity header; `namedUsers` are for keys that act for users alone.
 */
export function readCredentials(rawHeaders: readonly string[]): Credentials {
  const authorization = single(rawHeaders, "authorization");
  const apiKey = single(rawHeaders, "x-api-key");
  return {
    ...(authorization === undefined ? {} : { authorization }),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}

/** The same for a token that came in a message, as WebSocket clients send it: `{"type": "auth", "token": …}`. */
export function tokenCredentials(token: unknown): Credentials {
  if (typeof token !== "string" || token === "" || token.length > maxCredentialLength) {
    throw unauthorized("invalid");
  }
  return { authorization: `Bearer ${token}` };
}

/** The headers in which front ends name their user. */
export const userHeaders = ["x-user-id", "x-openwebui-user-id"] as const;

/** Whom a request's headers name: this proves nothing, and means something beside a key that acts for users only. */
export function namedUsers(rawHeaders: readonly string[]): Pick<Credentials, "users"> {
  const users = userHeaders.flatMap((name) => valuesOf(rawHeaders, name));
  return users.length === 0 ? {} : { users: users.map(utf8) };
}

/** Node takes the bytes of a header for Latin-1. */
function utf8(value: string): string {
  return Buffer.from(value, "latin1").toString("utf8");
}

/**
 * The token of `Authorization: Bearer <token>`, or null for another scheme or form. One run of visible ASCII without
 * a comma, so that values a proxy has joined are no token.
 */
export function bearerToken(credentials: Credentials): string | null {
  return /^Bearer +([!-+\--~]+)$/i.exec(credentials.authorization ?? "")?.[1] ?? null;
}

function single(rawHeaders: readonly string[], name: string): string | undefined {
  const [value, ...others] = valuesOf(rawHeaders, name);
  if (others.length > 0) throw unauthorized("invalid");
  // Clients that have no token are known to send an empty header.
  if (value === undefined || value === "") return undefined;
  if (value.length > maxCredentialLength) throw unauthorized("invalid");
  return value;
}

/** Each value of a header, as it came: Node joins or drops all but one. */
export function valuesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? "");
  }
  return values;
}
