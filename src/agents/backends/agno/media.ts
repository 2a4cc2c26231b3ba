import type { AgentEvent } from "../../agent-backend.ts";
import { asList, asText, type Wire } from "./wire.ts";

type MediaEvent = Extract<AgentEvent, { type: "media" | "file" }>;

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
 * in earlier events. Media by address are passed on as they are; small ones that came as bytes become `data:` URLs,
 * bigger ones files.
 */
export function mediaOf(
  source: Wire,
): readonly { readonly key: string; readonly event: MediaEvent }[] {
  return kinds.flatMap(([field, kind]) =>
    asList(source[field]).flatMap((medium) => {
      const event = toEvent(kind, medium);
      if (event === null) return [];
      return [{ key: asText(medium["id"]) ?? keyOf(event), event }];
    }),
  );
}

function toEvent(kind: string, medium: Wire): MediaEvent | null {
  const given = asText(medium["filename"]) ?? asText(medium["name"]);
  const named = given === undefined ? {} : { name: given };
  const address = asText(medium["url"]);
  if (address !== undefined) {
    const isWeb = URL.canParse(address) && /^https?:/i.test(address);
    return isWeb ? { type: "media", kind, url: address, ...named } : null;
  }
  const content = asText(medium["content"]);
  if (content === undefined) return null;
  const format = asText(medium["format"]);
  const type = asText(medium["mime_type"]) ?? (format === undefined ? "" : `${kind}/${format}`);
  // Documents of a text type come as text, everything else in Base64.
  const isText = type.startsWith("text/");
  if (type !== "" && content.length <= maxInlineLength) {
    const url = isText
      ? `data:${type};charset=utf-8,${encodeURIComponent(content)}`
      : `data:${type};base64,${content}`;
    return { type: "media", kind, url, ...named };
  }
  const bytes = Buffer.from(content, isText ? "utf8" : "base64");
  const name = given ?? `${kind}.${format ?? endingOf(type)}`;
  return { type: "file", kind, file: { name, mediaType: type, bytes } };
}

function endingOf(mediaType: string): string {
  return /^[a-z]+\/([a-z0-9]{2,5})$/.exec(mediaType)?.[1] ?? "bin";
}

function keyOf(event: MediaEvent): string {
  if (event.type === "media") return event.url;
  const { name, bytes } = event.file;
  return `${name} ${bytes.length} ${Buffer.from(bytes.subarray(0, 256)).toString("base64")}`;
}
