import { unauthorized } from "./refusals.ts";
import type { Credentials } from "./identity.ts";

/** Longer ones are refused unread: no issuer makes them. */
const maxCredentialLength = 8_192;

/** A WebSocket client that can set no headers offers its token as a subprotocol: `bearer.<token>`. */
const bearerSubprotocol = "bearer.";

/**
 * Reads who is calling from a request's headers, as Node lists them (`request.raw.rawHeaders`: name, value, name,
 * value …): only there can be seen that a header came twice. Two of them are refused (401) even when they are equal,
 * because every proxy on the way may have looked at another one. Nothing else is ever read: no query parameter, no
 * cookie, no `X-User-Id` or other identity header.
 */
export function readCredentials(rawHeaders: readonly string[]): Credentials {
  const authorization = single(rawHeaders, "authorization");
  const apiKey = single(rawHeaders, "x-api-key");
  return {
    ...(authorization === undefined ? {} : { authorization }),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}

/**
 * The same for a WebSocket handshake, where a token may instead be offered as the subprotocol `bearer.<token>`
 * beside the one the client speaks. The server must choose that other one, never echo the token.
 */
export function readWebSocketCredentials(rawHeaders: readonly string[]): Credentials {
  const credentials = readCredentials(rawHeaders);
  const offered = valuesOf(rawHeaders, "sec-websocket-protocol")
    .flatMap((value) => value.split(","))
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol.startsWith(bearerSubprotocol));
  const [token, ...others] = offered;
  if (token === undefined) return credentials;
  if (others.length > 0 || credentials.authorization !== undefined) throw unauthorized("invalid");
  const authorization = `Bearer ${token.slice(bearerSubprotocol.length)}`;
  if (authorization.length > maxCredentialLength) throw unauthorized("invalid");
  return { ...credentials, authorization };
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

function valuesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? "");
  }
  return values;
}
