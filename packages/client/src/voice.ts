import type { Operations } from "./api-types.ts";
import { keyed } from "./calls.ts";
import type { SendOptions } from "./messages.ts";
import { Reply } from "./reply.ts";
import { path, type CallOptions, type Transport } from "./transport.ts";
import { talk, type TalkOptions } from "./talk.ts";

/** Recognising and speaking take their time. */
const timeoutMs = 150_000;

/** A recording, and what goes with it. */
export type Recording = Omit<
  Operations["POST /chat/voice"]["body"],
  "audio_file" | "stream" | "user_id"
> & { readonly audio: Blob };

/** Speech in and out. */
export function createVoice(transport: Transport) {
  return {
    /** Sends a recording as a message: its transcript is the `message` of the event `user_message`. */
    send: ({ audio, ...fields }: Recording, options: SendOptions = {}): Reply => {
      const isApart = options.onProgress !== undefined;
      const body = formOf({ ...fields, stream: !isApart }, audio);
      const call = keyed(
        {
          method: "POST",
          path: "/chat/voice",
          body,
          headers: isApart ? { Prefer: "respond-async" } : { Accept: "text/event-stream" },
          user: "body",
          timeoutMs,
        },
        options,
      );
      return new Reply(transport, { ask: () => call, messageId: null, after: 0 }, options);
    },

    /** Only writes it down. */
    transcribe: (audio: Blob, fields: { readonly language?: string } = {}, options?: CallOptions) =>
      transport.json<Operations["POST /chat/voice/transcribe"]["answer"]>(
        {
          method: "POST",
          path: "/chat/voice/transcribe",
          body: formOf(fields, audio),
          user: "body",
          isRepeatable: true,
          timeoutMs,
        },
        options,
      ),

    /** Only speaks. */
    synthesize: (body: Operations["POST /chat/voice/synthesize"]["body"], options?: CallOptions) =>
      transport.blob(
        {
          method: "POST",
          path: "/chat/voice/synthesize",
          body,
          headers: { Accept: "audio/*" },
          isRepeatable: true,
          timeoutMs,
        },
        options,
      ),

    /** Speech of a reply, or a recording, that is kept. */
    audio: (audioId: string, options?: CallOptions) =>
      transport.blob(
        {
          method: "GET",
          path: path`/chat/audio/${audioId}`,
          headers: { Accept: "audio/*" },
          user: "query",
          timeoutMs,
        },
        options,
      ),

    voices: (options?: CallOptions) =>
      transport.json<Operations["GET /chat/voices"]["answer"]>(
        { method: "GET", path: "/chat/voices" },
        options,
      ),

    /** A spoken conversation: sound both ways at once, over a WebSocket. */
    talk: (options?: TalkOptions) => talk(transport, options),
  };
}

/** The recording last: what is said of it is known before it has arrived. */
function formOf(fields: Readonly<Record<string, unknown>>, audio: Blob): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined && value !== null) form.append(name, String(value));
  }
  form.append("audio_file", audio, audio instanceof File ? audio.name : "recording");
  return form;
}
