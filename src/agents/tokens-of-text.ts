import { hash } from "node:crypto";
import { estimateTokenCount } from "tokenx";

/** Of longer texts only parts are looked at, so that a prompt costs the same however long it is. */
const longest = 24 * 1024;
const sampleLength = 4 * 1024;
const samples = 4;

/** Shorter ones are estimated as quickly as they are looked up. */
const shortestKept = 64;
const maxKept = 20_000;
/**
 * Estimates by the digest of their text, which is not kept itself. The same instructions and earlier messages are told with
 * every turn of a conversation.
 */
const kept = new Map<string, number>();

/** About how many tokens a text is, for no model in particular; what models report corrects it. */
export function tokensOfText(text: string): number {
  if (text.length > longest) return tokensOfSamples(text);
  if (text.length < shortestKept) return estimateTokenCount(text);
  const digest = hash("sha1", text, "base64");
  const known = kept.get(digest);
  if (known !== undefined) return known;
  const tokens = estimateTokenCount(text);
  if (kept.size === maxKept) kept.clear();
  kept.set(digest, tokens);
  return tokens;
}

function tokensOfSamples(text: string): number {
  let tokens = 0;
  for (let sample = 0; sample < samples; sample += 1) {
    const start = Math.floor(((text.length - sampleLength) * sample) / (samples - 1));
    tokens += estimateTokenCount(text.slice(start, start + sampleLength));
  }
  return Math.ceil((tokens * text.length) / (samples * sampleLength));
}
