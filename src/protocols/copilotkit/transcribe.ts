import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { requireAction } from "../../http/caller.ts";
import type { ErrorShape } from "../../http/errors.ts";
import { takeForms, unvalidated } from "../../http/form-bodies.ts";
import { errorDocs } from "../../http/problem-docs.ts";
import type { IdentityProvider } from "../../identity/identity.ts";
import type { ProblemType } from "../../problems/catalogue.ts";
import type { Voice } from "../../voice/create-voice.ts";
import { hear, readUpload, uploadContent } from "../../voice/read-upload.ts";
import { runError } from "../ag-ui/errors.ts";
import { security, tags } from "../ag-ui/schemas.ts";
import { renamed } from "../faulty.ts";

interface TranscribeRoutesOptions {
  readonly voice: Voice;
  readonly identity: IdentityProvider;
  readonly maxUploadBytes: number;
}

/** What these clients call what may go wrong with a recording; of everything else they know that the request is at fault, or the service. */
const codes: Partial<Record<ProblemType, string>> = {
  unsupported_media_type: "invalid_audio_format",
  payload_too_large: "audio_too_long",
  rate_limited: "rate_limited",
  unauthorized: "auth_failed",
  forbidden: "auth_failed",
};

/** Errors of recordings, as CopilotKit's clients read them. */
export const transcriptionErrors: ErrorShape = {
  prefix: "/copilotkit/transcribe/",
  body(problem, language) {
    const { type, status } = problem;
    return {
      error: codes[type] ?? (status >= 500 ? "provider_error" : "invalid_request"),
      message: runError(problem, language).message,
      retryable: status >= 500 || type === "rate_limited",
    };
  },
  headers: () => ({}),
};

export const transcriptionErrorSchema = Type.Object(
  { error: Type.String(), message: Type.String(), retryable: Type.Boolean() },
  {
    $id: "TranscriptionError",
    title: "TranscriptionError",
    description: "Errors at `/copilotkit/transcribe`.",
  },
);

const errorResponses = errorDocs("TranscriptionError", transcriptionErrors.body);

/** What is said into CopilotKit's microphone. */
export function transcribeRoutes(options: TranscribeRoutesOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    await takeForms(app);
    app.post(
      "/copilotkit/transcribe",
      {
        ...unvalidated,
        schema: {
          tags,
          security,
          summary: "The text of a recording, for CopilotKit",
          consumes: ["multipart/form-data"],
          body: {
            type: "object",
            required: ["audio"],
            additionalProperties: true,
            properties: { audio: uploadContent },
          },
          response: {
            200: Type.Object({ text: Type.String() }),
            ...errorResponses(
              "unsupported_media_type",
              "speech_failed",
              "voice_unavailable",
              "speech_timeout",
            ),
          },
        },
      },
      async (request, reply) => {
        await requireAction(request, options.identity, "send_message");
        const form = { file: "audio" };
        const { file } = await readUpload(request, reply, options.maxUploadBytes, form);
        const { text } = await hear(options.voice, file, undefined, { request, reply }).catch(
          renamed({ audio_file: "audio" }),
        );
        return { text };
      },
    );
  };
}
