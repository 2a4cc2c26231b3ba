import { exportJWK, generateKeyPair, type CryptoKey, type JWK } from "jose";
import { startJsonServer, type JsonServer } from "./json-server.ts";

export interface JwksServer extends JsonServer {
  /** Of the key set, as `security.jwks_url` wants it. */
  readonly jwksUrl: string;
  publish(...keys: readonly JWK[]): void;
}

/** An issuer that publishes its public keys. */
export async function startJwksServer(...keys: readonly JWK[]): Promise<JwksServer> {
  let published = keys;
  const server = await startJsonServer(() => ({ status: 200, body: { keys: published } }));
  // Getters of `server` must stay getters: its port may be bound anew.
  return Object.defineProperties(server as JwksServer, {
    jwksUrl: { get: () => `${server.url}/.well-known/jwks.json` },
    publish: {
      value: (...next: readonly JWK[]) => {
        published = next;
      },
    },
  });
}

export interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  /** As an issuer publishes it. */
  readonly jwk: JWK;
}

export async function makeSigningKey(
  alg: "RS256" | "ES256" | "EdDSA",
  kid?: string,
): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), alg, use: "sig", ...(kid ? { kid } : {}) } as JWK;
  return { privateKey, publicKey, jwk };
}
