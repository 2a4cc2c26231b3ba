import { createHash } from "node:crypto";

/** What the chat completions protocol takes as the name of a function. */
const maxLength = 64;

/**
 * The name that a model knows a server's tool by: the same on every node and after every restart, whatever other tools
 * there are, because a paused reply finds its tool by it. A name that had to be changed, or is taken, is told apart
 * by its hash.
 */
export function toolNameOf(server: string, tool: string, taken: ReadonlySet<string>): string {
  const plain = `${server}__${tool}`;
  const clean = plain.replace(/[^\w-]/g, "_");
  if (clean === plain && clean.length <= maxLength && !taken.has(clean)) return clean;
  const hash = createHash("sha256")
    .update(JSON.stringify([server, tool]))
    .digest("hex");
  return `${clean.slice(0, maxLength - 9)}_${hash.slice(0, 8)}`;
}
