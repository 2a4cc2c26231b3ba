import type { Source } from "../../replies/extras.ts";
import { stride } from "../view.ts";
import type { Chunk } from "./tool-parts.ts";

/** As a message and an event have it. */
export interface Media {
  readonly kind?: string;
  readonly url?: string;
  readonly name?: string;
  readonly media_type?: string;
}

/** The same for every reader: the number of the event. */
export function eventId(firstNumber: number): number {
  return Math.floor(firstNumber / stride);
}

const topLevel: ReadonlySet<string | undefined> = new Set(["image", "audio", "video"]);

/** What an agent has produced; a file that is lost is told as such. */
export function fileChunk(media: Media, number: number): Chunk {
  const { kind, url, name, media_type: mediaType } = media;
  if (url === undefined) {
    const { kind: _, ...told } = media as Record<string, unknown>;
    return { type: "data-media", id: `media_${number}`, data: { kind, ...withoutStamp(told) } };
  }
  return {
    type: "file",
    url,
    mediaType: mediaType ?? (topLevel.has(kind) ? String(kind) : "application/octet-stream"),
    ...(name !== undefined && { providerMetadata: { chat_service: { name } } }),
  };
}

export interface Speech {
  readonly url?: string;
  readonly format?: string;
}

export function audioChunk({ url = "", format = "wav" }: Speech): Chunk {
  return { type: "file", url, mediaType: `audio/${format === "mp3" ? "mpeg" : format}` };
}

export function sourceChunk({ title, url, excerpt }: Source, number: number): Chunk {
  const sourceId = `source_${number}`;
  const more = excerpt === undefined ? {} : { providerMetadata: { chat_service: { excerpt } } };
  if (url !== undefined) {
    return { type: "source-url", sourceId, url, ...(title !== undefined && { title }), ...more };
  }
  return {
    type: "source-document",
    sourceId,
    mediaType: "text/plain",
    title: title ?? excerpt ?? "",
    ...more,
  };
}

/** Parts of data with an id take the place of what has it. */
export function customChunk(data: object, number: number): Chunk {
  return { type: "data-agent-custom", id: `custom_${number}`, data };
}

export function steeredChunk(data: object, number: number): Chunk {
  return { type: "data-steered", id: `steered_${number}`, data };
}

export function suggestionsChunk(suggestions: readonly unknown[]): Chunk {
  return { type: "data-suggestions", id: "suggestions", data: { suggestions } };
}

export function tasksChunk(tasks: readonly unknown[]): Chunk {
  return { type: "data-tasks", id: "tasks", data: { tasks } };
}

function withoutStamp(media: Readonly<Record<string, unknown>>): object {
  const {
    type: _type,
    session_id: _session,
    message_id: _message,
    timestamp: _time,
    ...rest
  } = media;
  return rest;
}
