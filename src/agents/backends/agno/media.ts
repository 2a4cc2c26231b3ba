import type { AgentEvent } from "../../agent-backend.ts";
import { asList, asText, type Wire } from "./wire.ts";

type MediaEvent = Extract<AgentEvent, { type: "media" }>;

const kinds = [
  ["images", "image"],
  ["videos", "video"],
  ["audio", "audio"],
  ["files", "file"],
] as const;

/** Bigger ones are not carried in an event. */
const maxInlineLength = 256 * 1024;

/**
 * The media in an event or a run, each with a key that is the same wherever it turns up again: lists repeat what was
 * in earlier events. Media by address are passed on as they are; small ones that came as bytes become `data:` URLs.
 */
export function mediaOf(
  source: Wire,
): readonly { readonly key: string; readonly event: MediaEvent }[] {
  return kinds.flatMap(([field, kind]) =>
    asList(source[field]).flatMap((medium) => {
      const url = addressOf(medium);
      if (!url) return [];
      const name = asText(medium["filename"]) ?? asText(medium["name"]);
      const event: MediaEvent = { type: "media", kind, url, ...(name ? { name } : {}) };
      return [{ key: asText(medium["id"]) ?? url, event }];
    }),
  );
}

function addressOf(medium: Wire): string | null {
  const url = asText(medium["url"]);
  if (url) return URL.canParse(url) && /^https?:/i.test(url) ? url : null;
  const content = asText(medium["content"]);
  const type = asText(medium["mime_type"]);
  if (!content || !type || content.length > maxInlineLength) return null;
  // Documents of a text type come as text, everything else in Base64.
  return type.startsWith("text/")
    ? `data:${type};charset=utf-8,${encodeURIComponent(content)}`
    : `data:${type};base64,${content}`;
}
