const units = ["", "KB", "MB", "GB", "TB"] as const;

/** Bytes of a size such as `1048576`, `64KB`, `1.5 MB` or `1GiB` (powers of 1024); null if it is none. */
export function parseByteSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([KMGT])i?)?B?$/i.exec(text.trim());
  if (match === null) return null;
  const power = "KMGT".indexOf((match[2] ?? "").toUpperCase() || " ") + 1;
  const size = Number(match[1]) * 1024 ** power;
  return Number.isSafeInteger(size) ? size : null;
}

/** The shortest way to write a size exactly: 10485760 → `10MB`, 1000 → `1000`. */
export function formatByteSize(size: number): string {
  const power = size === 0 ? 0 : units.findLastIndex((_, index) => size % 1024 ** index === 0);
  return `${size / 1024 ** power}${units[power]}`;
}
