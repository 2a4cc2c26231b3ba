import { readFileSync, statSync } from "node:fs";

const maximumBytes = 1024 * 1024;

/** The text of a configuration file; `fault` continues a sentence whose subject is the file. */
export function readFileText(
  path: string,
): { readonly ok: true; readonly text: string } | { readonly ok: false; readonly fault: string } {
  try {
    const found = statSync(path);
    if (found.isDirectory()) return { ok: false, fault: "is a directory, not a file" };
    if (found.size > maximumBytes) return { ok: false, fault: "is larger than 1 MB" };
    const text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
    return { ok: true, text };
  } catch (error) {
    return { ok: false, fault: describe(error) };
  }
}

function describe(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "does not exist";
    case "EACCES":
    case "EPERM":
      return "may not be read by this user";
    case "ERR_ENCODING_INVALID_ENCODED_DATA":
      return "is not UTF-8 text";
    default:
      return `cannot be read (${code})`;
  }
}
