import type { IdentityProvider } from "./identity.ts";

/**
 * Nobody proves anything: callers name themselves and may do everything. For one machine and for development.
 * A token that comes along is ignored, because clients of other protocols always send one.
 */
export function createOpenIdentity(): IdentityProvider {
  return {
    mode: "open",
    async authenticate() {
      return null;
    },
    async authorize() {},
    async close() {},
  };
}
