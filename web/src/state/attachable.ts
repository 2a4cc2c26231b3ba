import type { Agent } from "../api/types.ts";

export interface FileLimits {
  readonly maxFiles: number;
  /** Of all files of a message together. */
  readonly maxBytes: number;
}

/** Why a file is not taken. */
export interface Refusal {
  readonly reason: "none" | "kind" | "empty" | "tooMany" | "tooLarge";
  readonly name: string;
}

const maxNameLength = 255;

/** Browsers know no type for these, or think of something else. */
const textExtensions =
  /\.(?:md|markdown|log|ya?ml|toml|ini|cfg|conf|env|sql|sh|py|rb|rs|go|java|kt|c|h|cc|cpp|cs|ts|tsx|jsx|vue|diff|patch|tex|bib|srt)$/i;

/** The types that an agent takes, such as `image/*`; null: it has not said so and may take any. */
export function acceptedTypes(agent: Agent | null): readonly string[] | null {
  const told = agent?.metadata["attachments"];
  return Array.isArray(told) ? told.filter((type) => typeof type === "string") : null;
}

/** Whether a text may go along as a file. */
export function takesText(agent: Agent | null): boolean {
  return acceptedTypes(agent)?.some((type) => matches("text/plain", type)) ?? true;
}

/** Divides files into those that can go with a message that has `present` already, and those that cannot. */
export function chooseFiles(
  files: readonly File[],
  present: readonly File[],
  accepted: readonly string[] | null,
  limits: FileLimits,
): { readonly taken: readonly File[]; readonly refused: readonly Refusal[] } {
  const taken: File[] = [];
  const refused: Refusal[] = [];
  let bytes = present.reduce((sum, { size }) => sum + size, 0);
  for (const given of files) {
    const file = normalised(given);
    const { name } = file;
    const refuse = (reason: Refusal["reason"]) => refused.push({ reason, name });
    if (accepted?.length === 0) refuse("none");
    else if (accepted !== null && !accepted.some((type) => matches(file.type, type))) {
      refuse("kind");
    } else if (file.size === 0) refuse("empty");
    else if (present.length + taken.length >= limits.maxFiles) refuse("tooMany");
    else if (bytes + file.size > limits.maxBytes) refuse("tooLarge");
    else {
      bytes += file.size;
      taken.push(file);
    }
  }
  return { taken, refused };
}

/** With a name and a type that the service takes. */
function normalised(file: File): File {
  const type = mediaType(file);
  const name = file.name.trim() === "" ? "file" : shortened(file.name);
  return type === file.type && name === file.name ? file : new File([file], name, { type });
}

function mediaType({ name, type }: File): string {
  if (textExtensions.test(name)) return "text/plain";
  const bare = (type.split(";", 1)[0] ?? "").trim().toLowerCase();
  return /^[\w.+-]+\/[\w.+-]+$/.test(bare) && bare.length <= 127
    ? bare
    : "application/octet-stream";
}

/** Its end says what it is. */
function shortened(name: string): string {
  return name.length <= maxNameLength ? name : name.slice(-maxNameLength).toWellFormed();
}

function matches(type: string, pattern: string): boolean {
  return pattern.endsWith("/*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}
