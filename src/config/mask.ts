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

/** A value of a setting as it may be shown: secrets masked, everything else as it is. */
export function maskValue(setting: Setting, value: unknown): unknown {
  if (setting.kind === "secret" && typeof value === "string") {
    return setting.rule?.holds(value) === true ? maskUrl(value) : mask;
  }
  if (typeof value === "string") return maskUrl(value);
  if (Array.isArray(value)) return value.map((item) => maskItem(item, setting.secretMembers ?? []));
  return value;
}

function maskItem(item: unknown, secretMembers: readonly string[]): unknown {
  if (typeof item === "string") return maskUrl(item);
  if (typeof item !== "object" || item === null) return item;
  return Object.fromEntries(
    Object.entries(item).map(([key, value]: [string, unknown]) => {
      if (secretMembers.includes(key)) return [key, mask];
      return [key, typeof value === "string" ? maskUrl(value) : value];
    }),
  );
}
