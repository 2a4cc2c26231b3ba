import { faulty } from "../faulty.ts";

const maxMetadata = 16;

/** What callers note: a few texts. Raises `bad_request` for more, as OpenAI does. */
export function readMetadata(
  metadata: Readonly<Record<string, unknown>> | null | undefined,
): Record<string, string> {
  const entries = Object.entries(metadata ?? {});
  const isFine =
    entries.length <= maxMetadata &&
    entries.every(
      ([name, value]) => name.length <= 64 && typeof value === "string" && value.length <= 512,
    );
  if (!isFine) {
    throw faulty(
      "/metadata",
      "may have at most 16 texts of 512 characters, under names of 64",
      "最多可有 16 项，名称不超过 64 个字符，值为不超过 512 个字符的文本",
    );
  }
  return Object.fromEntries(entries) as Record<string, string>;
}
