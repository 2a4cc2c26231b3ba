import type { Setting } from "./setting.ts";

/** What stands for a secret wherever one would be shown. */
export const mask = "********";

const secretParameter = /([?&][^=&#]*(?:pass|secret|token|key|sig|auth)[^=&#]*=)[^&#]*/gi;

/**
 * A URL without what is secret in it: the password before the host, query parameters named like
 * a secret, and what stands alone before the host of a web address (a token, usually).
 * Works on lists of hosts and on text that is no valid URL.
 */
export function maskUrl(url: string): string {
  return url
    .replace(/(\w+):\/\/([^/?#]*)@/g, (_, scheme: string, user: string) => {
      const colon = user.indexOf(":");
      if (colon >= 0) return `${scheme}://${user.slice(0, colon)}:${mask}@`;
      return /^https?$/i.test(scheme) ? `${scheme}://${mask}@` : `${scheme}://${user}@`;
    })
    .replace(secretParameter, `$1${mask}`);
}

const secretName = String.raw`-{1,2}[\w-]*(?:pass|secret|token|key|auth|header)[\w-]*`;
const secretOption = new RegExp(`^${secretName}$`, "i");
const secretAssignment = new RegExp(`^(${secretName}=).*$`, "is");

/** A value of a setting as it may be shown: secrets masked, everything else as it is. */
export function maskValue(setting: Setting, value: unknown): unknown {
  if (setting.kind === "secret" && typeof value === "string") {
    return setting.rule?.holds(value) === true ? maskUrl(value) : mask;
  }
  if (typeof value === "string") return maskUrl(value);
  if (Array.isArray(value)) return maskItem(value, setting.secretMembers ?? []);
  return value;
}

function maskItem(item: unknown, secretMembers: readonly string[]): unknown {
  if (typeof item === "string") return maskUrl(item);
  if (Array.isArray(item)) return maskList(item, secretMembers);
  if (typeof item !== "object" || item === null) return item;
  return Object.fromEntries(
    Object.entries(item).map(([key, value]: [string, unknown]) => [
      key,
      secretMembers.includes(key) ? maskAll(value) : maskItem(value, secretMembers),
    ]),
  );
}

/** Arguments of a program too: `--token=…`, and what follows `--token`. */
function maskList(items: readonly unknown[], secretMembers: readonly string[]): readonly unknown[] {
  return items.map((item, index) => {
    const before: unknown = items[index - 1];
    if (typeof item === "string" && typeof before === "string" && secretOption.test(before)) {
      return mask;
    }
    return typeof item === "string"
      ? maskUrl(item).replace(secretAssignment, `$1${mask}`)
      : maskItem(item, secretMembers);
  });
}

/** Of a map the names may be seen. */
function maskAll(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return mask;
  return Object.fromEntries(Object.keys(value).map((key) => [key, mask]));
}
