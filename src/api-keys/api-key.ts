import { createHash, randomBytes } from "node:crypto";

/** A key as it was made, without what is secret of it. */
export interface ApiKey {
  readonly keyId: string;
  readonly name: string;
  /** How it begins. */
  readonly hint: string;
  readonly userId: string;
  readonly roles: readonly string[];
  /** Null: whatever the roles allow. */
  readonly scopes: readonly string[] | null;
  readonly actsForUsers: boolean;
  readonly onDisconnect: "continue" | "cancel" | null;
  readonly createdBy: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** To the minute. */
  readonly lastUsedAt: Date | null;
}

/** By which people, and programs that look for leaked secrets, know a key of this service. */
const prefix = "csk_";
const form = /^csk_[\w-]{43}$/;
const hintLength = prefix.length + 6;

/** 32 random bytes: nobody tries them out, so that a fast hash without salt keeps them as well as a slow one would. */
export function newKey(): { readonly key: string; readonly sha256: string; readonly hint: string } {
  const key = prefix + randomBytes(32).toString("base64url");
  return { key, sha256: hashOf(key), hint: key.slice(0, hintLength) };
}

export function isKeyForm(text: string): boolean {
  return form.test(text);
}

export function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
