import { bearerToken } from "./credentials.ts";
import { isAdmin, type IdentityProvider } from "./identity.ts";
import type { JwtVerifier } from "./jwt-verifier.ts";
import { forbidden, unauthorized } from "./refusals.ts";

/** Callers prove themselves with signed tokens. Everybody may chat; managing the sessions of others takes an admin. */
export function createJwtIdentity({ verifier }: { verifier: JwtVerifier }): IdentityProvider {
  return {
    mode: "jwt",
    async authenticate(credentials) {
      const token = bearerToken(credentials);
      if (token === null) {
        throw unauthorized(credentials.authorization === undefined ? "missing" : "invalid");
      }
      return verifier.verify(token);
    },
    async authorize(identity, action) {
      if (action !== "manage_sessions" || isAdmin(identity)) return;
      if (identity.permissions?.includes(action) === true) return;
      throw forbidden(action);
    },
    async close() {},
  };
}
