import { Readable } from "node:stream";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { requireAction } from "../../../http/caller.ts";
import { takeForms, unvalidated } from "../../../http/form-bodies.ts";
import { goneSignal } from "../../../http/gone-signal.ts";
import type { IdentityProvider } from "../../../identity/identity.ts";
import { Problem } from "../../../problems/problem.ts";
import { audioFormats, mediaTypeOf } from "../../../voice/audio-format.ts";
import type { ByteStream } from "../../../voice/byte-stream.ts";
import type { Voice } from "../../../voice/create-voice.ts";
import { hear, readUpload } from "../../../voice/read-upload.ts";
import { renamed } from "../../faulty.ts";
import { openAiErrors } from "../errors.ts";
import { errorResponses, security, tags } from "../schemas.ts";
import { speechBody, transcriptionBody, transcriptionSchema } from "./schemas.ts";
import { openSpeech } from "./speech.ts";
import { subtitlesOf, transcriptForm, transcriptOf } from "./transcription.ts";

interface AudioRoutesOptions {
  readonly voice: Voice;
  readonly identity: IdentityProvider;
  readonly maxUploadBytes: number;
  readonly maxMessageLength: number;
}

const eventStream = "text/event-stream; charset=utf-8";

/** Speech in and out, as OpenAI's clients ask for it: the service's voice, within its limits. */
export function audioRoutes(options: AudioRoutesOptions): FastifyPluginAsyncTypebox {
  const { voice, identity } = options;
  return async (app) => {
    app.post(
      "/v1/audio/speech",
      {
        schema: {
          tags,
          security,
          summary: "Speech of a text, sent as it is made",
          description:
            "`model` and `instructions` mean nothing. `pcm` is 24 kHz. Markdown is left out.",
          body: speechBody(options.maxMessageLength),
          response: {
            200: {
              description: "The sound.",
              content: Object.fromEntries(
                [...audioFormats.map((format) => mediaTypeOf(format)), "text/event-stream"].map(
                  (type) => [type, { schema: { type: "string", format: "binary" } }],
                ),
              ),
            },
            ...errorResponses(
              "malformed_json",
              "unsupported_parameter",
              "speech_failed",
              "voice_unavailable",
              "speech_timeout",
            ),
          },
        },
      },
      async (request, reply) => {
        await requireAction(request, identity, "send_message");
        const speech = await openSpeech(voice, request.body, goneSignal(reply));
        void reply.header("Cache-Control", "no-store");
        if (request.body.stream_format === "sse") {
          const events = eventsOf(speech.bytes, (error) => {
            request.log.warn({ err: error }, "speech broke off while it was sent");
            const problem =
              error instanceof Problem ? error : new Problem("speech_failed", {}, { cause: error });
            return openAiErrors.body(problem, request.language);
          });
          return reply.type(eventStream).send(Readable.from(events, { objectMode: false }));
        }
        const body = Readable.from(speech.bytes, { objectMode: false });
        body.once("error", (error) => {
          // Half an answer cannot become an error any more: it is cut off.
          request.log.warn({ err: error.cause ?? error }, "speech broke off while it was sent");
        });
        return reply.type(mediaTypeOf(speech.format, speech.sampleRateHz)).send(body);
      },
    );

    app.get(
      "/v1/audio/voices",
      {
        schema: {
          tags,
          security,
          summary: "Voices to choose from, as front ends ask for them",
          response: {
            200: Type.Object({
              voices: Type.Array(Type.Object({ id: Type.String(), name: Type.String() })),
            }),
            ...errorResponses(),
          },
        },
      },
      async (_request, reply) => {
        const { voices } = await voice.voices(goneSignal(reply));
        return { voices: voices.map(({ id, name }) => ({ id, name })) };
      },
    );

    await app.register(async (uploads) => {
      await takeForms(uploads);
      uploads.post(
        "/v1/audio/transcriptions",
        {
          ...unvalidated,
          schema: {
            tags,
            security,
            summary: "The text of a recording",
            consumes: ["multipart/form-data"],
            body: transcriptionBody,
            response: {
              200: {
                description: "The text; with `stream: true` as server-sent events.",
                content: {
                  "application/json": { schema: transcriptionSchema },
                  "text/plain": { schema: { type: "string" } },
                  "application/x-subrip": { schema: { type: "string" } },
                  "text/vtt": { schema: { type: "string" } },
                  "text/event-stream": { schema: { type: "string" } },
                },
              },
              ...errorResponses(
                "unsupported_media_type",
                "unsupported_parameter",
                "speech_failed",
                "voice_unavailable",
                "speech_timeout",
              ),
            },
          },
        },
        async (request, reply) => {
          await requireAction(request, identity, "send_message");
          const { file, fields } = await readUpload(request, reply, options.maxUploadBytes, {
            file: "file",
          });
          const form = transcriptForm(fields);
          const heard = await hear(voice, file, fields["language"], { request, reply }).catch(
            renamed({ audio_file: "file" }),
          );
          const transcript = transcriptOf(heard, form);
          if (form === "srt" || form === "vtt") {
            const type = form === "srt" ? "application/x-subrip" : "text/vtt";
            return reply.type(`${type}; charset=utf-8`).send(subtitlesOf(heard, form));
          }
          if (form === "text") return reply.type("text/plain; charset=utf-8").send(heard.text);
          if (form !== "events") return reply.send(transcript);
          const { text, usage } = transcript;
          return reply
            .type(eventStream)
            .send(
              line({ type: "transcript.text.delta", delta: text }) +
                line({ type: "transcript.text.done", text, usage }) +
                end,
            );
        },
      );
    });
  };
}

const end = "data: [DONE]\n\n";

function line(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

async function* eventsOf(
  bytes: ByteStream,
  told: (error: unknown) => object,
): AsyncGenerator<string, void, void> {
  try {
    for await (const chunk of bytes) {
      yield line({ type: "speech.audio.delta", audio: Buffer.from(chunk).toString("base64") });
    }
    const usage = { input_tokens: 0, output_tokens: 0, total_tokens: 0 };
    yield line({ type: "speech.audio.done", usage });
  } catch (error) {
    yield line(told(error));
  }
  yield end;
}
