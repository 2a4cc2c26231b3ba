import { createHash, timingSafeEqual } from "node:crypto";
import type { ConfiguredApiKey } from "../config/sections/access.ts";
import { actedNameFault, actingCaller, isActedUser } from "./acting.ts";
import { agentRights, isAgentRight } from "./agent-rights.ts";
import { bearerToken } from "./credentials.ts";
import {
  actions,
  isAdmin,
  type Action,
  type Identity,
  type IdentityProvider,
  type StoredKeys,
} from "./identity.ts";
import { forbidden, unauthorized } from "./refusals.ts";

/** The identity behind a key, or null for an unknown one. */
type ApiKeyLookup = (key: string) => Identity | null;

/**
 * Only hashes are known here, so nothing that leaks from memory or configuration is a key. A fast hash is right for
 * keys, which are long and random, unlike passwords. Raises an Error that names the key whose entry is wrong.
 */
function createApiKeyLookup(configured: readonly ConfiguredApiKey[]): ApiKeyLookup {
  const known = configured.map((entry) => {
    const hash = Buffer.from(entry.sha256, "hex");
    if (hash.length !== 32) throw new Error(`auth.api_keys: ${entry.name}: sha256 is no SHA-256`);
    return { hash, identity: identityOfKey(entry) };
  });
  return (key) => {
    const given = createHash("sha256").update(key).digest();
    let found: Identity | null = null;
    // All of them, always: the time it takes says nothing about which one it was.
    for (const { hash, identity } of known) {
      if (timingSafeEqual(hash, given)) found = identity;
    }
    return found;
  };
}

/** Raises an Error that names the key where it is written wrongly. */
export function identityOfKey(key: Omit<ConfiguredApiKey, "sha256">): Identity {
  const { name, user_id: userId, roles = [], scopes, on_disconnect: onDisconnect } = key;
  const fault = actingFault(key);
  if (fault !== null) throw new Error(`auth.api_keys: ${name}: ${fault}`);
  const identity = {
    userId,
    roles,
    kind: "api_key",
    keyName: name,
    ...(onDisconnect && { onDisconnect }),
    ...(key.acts_for_users === true && { actsForUsers: true as const }),
  } as const;
  if (scopes === undefined) return identity;
  const agents = agentRights(scopes);
  const allowed = scopes.flatMap((scope): Action[] => {
    const action = actions.find((known) => known === scope);
    if (action !== undefined) return [action];
    if (isAgentRight(scope)) return [];
    const known = [...actions, "agents:<id>:run"].join(", ");
    throw new Error(`auth.api_keys: ${name}: no such scope; there are ${known}`);
  });
  // Which agents and which actions are two questions: who names agents alone has said nothing of actions.
  const limitsActions = agents === undefined || allowed.length > 0;
  return { ...identity, ...(agents && { agents }), ...(limitsActions && { scopes: allowed }) };
}

/** What keeps a key from being, or acting for, somebody whom it must not. */
function actingFault(key: Omit<ConfiguredApiKey, "sha256">): string | null {
  if (isActedUser(key.user_id)) return "user_id must not be one for whom a key acts (via:…)";
  if (key.acts_for_users !== true) return null;
  return actedNameFault({ name: key.name, roles: key.roles ?? [] })?.message ?? null;
}

/**
 * Lets services with a key in beside whoever `provider` knows: as `X-API-Key`, or as the token of `Authorization`.
 * Where both headers came, `Authorization` decides, because gateways pass on the `X-API-Key` that was meant for them
 * (in open mode, where it means nothing, the key does).
 */
export function withApiKeys(
  provider: IdentityProvider,
  configured: readonly ConfiguredApiKey[],
  stored: StoredKeys | null = null,
): IdentityProvider {
  if (configured.length === 0 && stored === null) return provider;
  const lookupConfigured = createApiKeyLookup(configured);
  /** A key of the service's own form is nothing else, so that a revoked one is refused in every mode. */
  const lookup = async (key: string): Promise<Identity | null> => {
    const identity = lookupConfigured(key) ?? (await stored?.find(key)) ?? null;
    if (identity === null && stored?.isForm(key) === true) throw unauthorized("invalid");
    return identity;
  };
  return {
    mode: provider.mode,
    async authenticate(credentials, context) {
      const { authorization, apiKey } = credentials;
      const bearer = bearerToken(credentials);
      const identity = bearer === null ? null : await lookup(bearer);
      if (identity !== null) return actingCaller(identity, credentials);
      if (apiKey !== undefined && (authorization === undefined || provider.mode === "open")) {
        const caller = await lookup(apiKey);
        if (caller === null) throw unauthorized("invalid");
        return actingCaller(caller, credentials);
      }
      return provider.authenticate(credentials, context);
    },
    async authorize(identity, action, context) {
      if (identity.kind !== "api_key") return provider.authorize(identity, action, context);
      if (identity.scopes !== undefined) {
        if (!identity.scopes.includes(action)) throw forbidden(action);
        return;
      }
      if (action === "manage_sessions" && !isAdmin(identity)) throw forbidden(action);
    },
    watch: (identity, onChange) => stored?.watch(identity, onChange),
    async close() {
      await stored?.close();
      await provider.close();
    },
  };
}
