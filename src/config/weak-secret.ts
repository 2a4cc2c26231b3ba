/** Defaults of well-known code: whoever reads it can sign tokens for everybody. */
const publishedSecrets = new Set([
  "your-secret-key-here",
  "your-secret-key-change-in-production",
  "internal-secret-key-change-in-production",
  "your-256-bit-secret",
  "a-string-secret-at-least-256-bits-long",
  "changeme",
  "change-me",
  "secret",
]);

/** RFC 7518 section 3.2: as long as the hash. */
const minSecretBytes = 32;
/** Random text of that length has more; a repeated one, or one made of a few keys of the keyboard, has not. */
const minDifferent = 8;

/** What makes a secret easy to guess, for whom a token is as good as any; null for one that is not. */
export function weaknessOf(secret: string): string | null {
  if (publishedSecrets.has(secret)) return "is a published default";
  const length = Buffer.byteLength(secret);
  if (length < minSecretBytes)
    return `has ${length} bytes of the ${minSecretBytes} that HS256 needs`;
  if (new Set(secret).size < minDifferent) return "consists of a few characters, repeated";
  return null;
}

/** What makes a good one. */
export const strongSecret = "openssl rand -base64 48";
