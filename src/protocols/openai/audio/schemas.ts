import { Type, type Static } from "typebox";
import { nullable } from "../../../http/schemas.ts";
import { audioFormats } from "../../../voice/audio-format.ts";
import { languageField } from "../../../voice/recognition.ts";
import { uploadContent } from "../../../voice/read-upload.ts";

export function speechBody(maxTextLength: number) {
  return Type.Object(
    {
      input: Type.String({ minLength: 1, maxLength: maxTextLength, pattern: "\\S" }),
      voice: Type.Optional(
        Type.Unknown({
          description:
            "One of `GET /v1/audio/voices`, or an object with its `id`. A voice of OpenAI's that there is not here is the default one.",
        }),
      ),
      response_format: Type.Optional(
        nullable(
          Type.String({
            maxLength: 20,
            examples: audioFormats,
            description: "Absent: mp3 where speech can be had in it, else wav.",
          }),
        ),
      ),
      speed: Type.Optional(nullable(Type.Number({ minimum: 0.25, maximum: 4 }))),
      stream_format: Type.Optional(
        nullable(
          Type.Union([Type.Literal("audio"), Type.Literal("sse")], {
            description: "`sse`: the sound as events, in Base64.",
          }),
        ),
      ),
    },
    {
      additionalProperties: true,
      title: "SpeechRequest",
      examples: [{ model: "tts-1", input: "Hello world.", voice: "alloy" }],
    },
  );
}

export type SpeechBody = Static<ReturnType<typeof speechBody>>;

/** Read by the route itself: a form. */
export const transcriptionBody = {
  type: "object",
  additionalProperties: true,
  required: ["file"],
  properties: {
    file: uploadContent,
    model: { type: "string", description: "Any: there is one recogniser." },
    language: { ...languageField, examples: ["en", "zh"] },
    response_format: {
      type: "string",
      examples: ["json", "text", "verbose_json", "srt", "vtt"],
      description: "`srt` and `vtt` where what hears recordings tells when what was said.",
    },
    stream: { type: "boolean" },
  },
};

export const transcriptionSchema = Type.Object(
  {
    text: Type.String(),
    usage: Type.Optional(
      Type.Object({ type: Type.Literal("duration"), seconds: Type.Number() }, {}),
    ),
  },
  { additionalProperties: true, title: "Transcription" },
);
