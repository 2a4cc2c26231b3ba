/*
 * Bytes go to the database and come from it as Base64 (`decode($1, 'base64')`, `encode(bytes, 'base64')`): the embedded
 * one takes 100 ms of the main thread for a megabyte of bytea in or out, and a tenth of that for the same as Base64.
 */

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** PostgreSQL breaks it into lines. */
export function fromBase64(text: string): Uint8Array {
  return Buffer.from(text, "base64");
}
