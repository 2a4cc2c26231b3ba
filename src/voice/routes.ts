import { Readable } from "node:stream";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { callerUser, mayAccess, requireAction } from "../http/caller.ts";
import { takeForms, unvalidated } from "../http/form-bodies.ts";
import { goneSignal } from "../http/gone-signal.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter, nullable } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import { audioFormats, mediaTypeOf } from "./audio-format.ts";
import type { AudioStore } from "./audio-store.ts";
import type { Voice, VoiceCapability } from "./create-voice.ts";
import { hear, readUpload, uploadContent } from "./read-upload.ts";
import { languageField } from "./recognition.ts";
import { sendSound } from "./send-sound.ts";

interface VoiceRoutesOptions {
  readonly voice: Voice;
  readonly store: AudioStore;
  readonly identity: IdentityProvider;
  readonly maxUploadBytes: number;
  readonly maxTextLength: number;
}

const tags = ["Voice"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];
const capabilitySchema = Type.Object({
  enabled: Type.Boolean(),
  providers: Type.Array(Type.String()),
  languages: Type.Union([Type.Array(Type.String()), Type.Literal("any")]),
});

function capabilityBody({ enabled, providers, languages }: VoiceCapability) {
  return {
    enabled,
    providers: [...providers],
    languages: languages === "any" ? languages : [...languages],
  };
}

/** Speech to text, text to speech, voices, and stored sound. */
export function voiceRoutes(options: VoiceRoutesOptions): FastifyPluginAsyncTypebox {
  const { voice, store, identity } = options;
  return async (app) => {
    app.get(
      "/chat/voices",
      {
        schema: {
          tags,
          security,
          summary: "Voices to choose from, and what speech can do here",
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              voices: Type.Array(
                Type.Object({
                  id: Type.String(),
                  name: Type.String(),
                  language: nullable(Type.String()),
                }),
              ),
              default: nullable(Type.String()),
              formats: Type.Array(Type.String()),
              transcription: capabilitySchema,
              synthesis: capabilitySchema,
            }),
            ...problemResponses(),
          },
        },
      },
      async (_request, reply) => {
        const { voices, default: chosen } = await voice.voices(goneSignal(reply));
        return {
          success: true as const,
          voices: [...voices],
          default: chosen,
          formats: [...voice.formats],
          transcription: capabilityBody(voice.recognition),
          synthesis: capabilityBody(voice.speech),
        };
      },
    );

    app.post(
      "/chat/voice/synthesize",
      {
        schema: {
          tags,
          security,
          summary: "Speech of a text, sent as it is made",
          description:
            "`format` is a wish; the answer's media type says what it is. Markdown is left out.",
          body: Type.Object(
            {
              text: Type.String({ minLength: 1, maxLength: options.maxTextLength, pattern: "\\S" }),
              voice: Type.Optional(nullable(Type.String({ maxLength: 200 }))),
              format: Type.Optional(
                nullable(Type.String({ maxLength: 20, examples: ["wav", "mp3"] })),
              ),
              speed: Type.Optional(nullable(Type.Number({ minimum: 0.25, maximum: 4 }))),
            },
            { examples: [{ text: "Hello world.", voice: "default", format: "wav" }] },
          ),
          response: {
            200: {
              description: "The sound.",
              content: Object.fromEntries(
                audioFormats.map((format) => [
                  mediaTypeOf(format),
                  { schema: { type: "string", format: "binary" } },
                ]),
              ),
            },
            ...problemResponses(
              "malformed_json",
              "speech_failed",
              "voice_unavailable",
              "speech_timeout",
            ),
          },
        },
      },
      async (request, reply) => {
        await requireAction(request, identity, "send_message");
        const { text, voice: asked, format, speed } = request.body;
        const style = voice.style({
          voice: asked ?? undefined,
          format: format ?? undefined,
          speed: speed ?? undefined,
        });
        const speech = await voice.speak(text, { style, signal: goneSignal(reply) });
        const body = Readable.from(speech.bytes, { objectMode: false });
        body.once("error", (error) => {
          // Half an answer cannot become an error any more: it is cut off.
          request.log.warn({ err: error.cause ?? error }, "speech broke off while it was sent");
        });
        return reply
          .type(mediaTypeOf(speech.format, speech.sampleRateHz))
          .header("Cache-Control", "no-store")
          .send(body);
      },
    );

    app.get(
      "/chat/audio/:audio_id",
      {
        schema: {
          tags,
          security,
          summary: "Sound of a message",
          description: "Kept for voice.retention_hours. One `Range` of bytes can be asked for.",
          params: Type.Object({ audio_id: idParameter("From a message's `audio`.") }),
          querystring: Type.Object({
            user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
          }),
          response: {
            200: { description: "All of it.", content: { "audio/*": { schema: uploadContent } } },
            206: { description: "A part.", content: { "audio/*": { schema: uploadContent } } },
            304: { description: "What the caller has is what there is." },
            ...problemResponses("audio_not_found", "range_not_satisfiable"),
          },
        },
      },
      async (request, reply) => {
        const audioId = request.params.audio_id;
        await requireAction(request, identity, "access_chat_session");
        const audio = isId(audioId) ? await store.find(audioId) : null;
        // Without a session it is still on its way to one.
        const exists = audio !== null && audio.sessionId !== null;
        if (!exists || !(await mayAccess(request, audio.userId, request.query.user_id))) {
          throw new Problem("audio_not_found", { audioId });
        }
        return sendSound(request, reply, audio);
      },
    );

    await app.register(async (uploads) => {
      await takeForms(uploads);
      uploads.post(
        "/chat/voice/transcribe",
        {
          ...unvalidated,
          schema: {
            tags,
            security,
            summary: "The text of a recording",
            consumes: ["multipart/form-data"],
            body: {
              type: "object",
              required: ["audio_file"],
              properties: {
                audio_file: uploadContent,
                language: { ...languageField, examples: ["en", "zh"] },
                user_id: { type: "string", description: "In auth.mode open: who is speaking." },
              },
            },
            response: {
              200: Type.Object({
                success: Type.Literal(true),
                text: Type.String(),
                language: nullable(Type.String()),
                duration_ms: Type.Integer(),
              }),
              ...problemResponses(
                "unsupported_media_type",
                "speech_failed",
                "voice_unavailable",
                "speech_timeout",
              ),
            },
          },
        },
        async (request, reply) => {
          await requireAction(request, identity, "send_message");
          const form = { file: "audio_file", known: ["language", "user_id"] };
          const { file, fields } = await readUpload(request, reply, options.maxUploadBytes, form);
          // Names nobody else.
          if (typeof fields["user_id"] === "string") callerUser(request, fields["user_id"]);
          const heard = await hear(voice, file, fields["language"], { request, reply });
          return {
            success: true as const,
            text: heard.text,
            language: heard.language,
            duration_ms: heard.durationMs,
          };
        },
      );
    });
  };
}
