import type { Cache } from "../cache/cache.ts";
import type { Config } from "../config/settings.ts";
import { strongSecret, weaknessOf } from "../config/weak-secret.ts";
import type { Logger } from "../telemetry/logger.ts";
import { withApiKeys } from "./api-keys.ts";
import { createBaseServiceClient } from "./base-service-client.ts";
import { createBaseServiceIdentity } from "./base-service.ts";
import type { IdentityProvider, StoredKeys } from "./identity.ts";
import { createKeySet } from "./jwks.ts";
import { createJwtVerifier, type JwtVerifier } from "./jwt-verifier.ts";
import { createJwtIdentity } from "./jwt.ts";
import { createOpenIdentity } from "./open.ts";
import { unwaited } from "../lib/unwaited.ts";

type IdentityConfig = Pick<Config, "auth" | "base_service" | "security" | "service">;

interface IdentityParts {
  /** Shared between nodes where there are several. */
  readonly cache: Cache;
  readonly log: Logger;
  /** Beside those of the configuration. */
  readonly keys?: StoredKeys;
}

/**
 * The identity provider of the configured mode, with API keys beside it. Raises an Error that says what is wrong
 * when the configuration would let everybody in by mistake.
 */
export function createIdentityProvider(
  config: IdentityConfig,
  { cache, log, keys }: IdentityParts,
): IdentityProvider {
  return withApiKeys(createProvider(config, cache, log), config.auth.api_keys, keys);
}

function createProvider(config: IdentityConfig, cache: Cache, log: Logger): IdentityProvider {
  const { auth, base_service: baseService, security, service } = config;
  switch (auth.mode) {
    case "open":
      if (service.environment === "production") {
        if (!auth.allow_open_in_production) {
          throw new Error("auth.mode open is refused in production");
        }
        log.warn({}, "auth.mode is open in production: everybody may act as any user");
      }
      return createOpenIdentity();
    case "jwt": {
      const verifier = createVerifier(config, log);
      if (verifier === null) {
        throw new Error("auth.mode jwt needs security.secret_key or security.jwks_url");
      }
      return createJwtIdentity({ verifier });
    }
    case "base-service":
      if (baseService.url === null)
        throw new Error("auth.mode base-service needs base_service.url");
      return createBaseServiceIdentity({
        client: createBaseServiceClient({ url: baseService.url, prefix: baseService.prefix, log }),
        cache,
        cacheTtlMs: baseService.cache_ttl_seconds * 1000,
        onUnreachable: baseService.on_unreachable,
        verifier: createVerifier(config, log),
        clockSkewSeconds: security.clock_skew_seconds,
      });
  }
}

function createVerifier({ security, service }: IdentityConfig, log: Logger): JwtVerifier | null {
  const { secret_key: secretKey, jwks_url: jwksUrl } = security;
  if (secretKey === null && jwksUrl === null) return null;
  if (secretKey !== null) {
    if (secretKey === "") throw new Error("security.secret_key is empty");
    const weakness = weaknessOf(secretKey);
    if (weakness !== null) {
      if (service.environment === "production") throw new Error(`security.secret_key ${weakness}`);
      log.warn(
        {},
        `security.secret_key ${weakness}; production refuses it. Make another: ${strongSecret}`,
      );
    }
  }
  const keySet = jwksUrl === null ? null : createKeySet({ url: jwksUrl, log });
  if (keySet !== null) unwaited(keySet.warm());
  return createJwtVerifier({
    secretKey,
    keySet,
    issuer: security.issuer,
    audience: security.audience,
    clockSkewSeconds: security.clock_skew_seconds,
  });
}
