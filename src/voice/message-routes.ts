import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyReply, FastifyRequest } from "fastify";
import { createHash } from "node:crypto";
import { accepted, answer, withdrawnAnswer } from "../chat/answer.ts";
import { waitsForDecision } from "../chat/waits-for-decision.ts";
import type { MessageStore } from "../chat/message-store.ts";
import { streamResponse } from "../chat/stream-docs.ts";
import type { Commands, SendMessage } from "../chat/commands.ts";
import { callerUser, mayAccess, noteForeign, requireAction } from "../http/caller.ts";
import { takeForms, unvalidated } from "../http/form-bodies.ts";
import { goneSignal } from "../http/gone-signal.ts";
import { idempotencyHeaders, idempotencyKey } from "../idempotency/idempotency-header.ts";
import {
  acceptedAsync,
  acceptedLater,
  acceptedResponse,
  prefersAsync,
  withPrefer,
} from "../http/prefer.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { ref } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import { mustBeOneOf, Problem, type ProblemDetail } from "../problems/problem.ts";
import { onBusyChoices } from "../replies/lifecycle/make-place.ts";
import type { SseView } from "../replies/reading/sse.ts";
import type { SessionStore } from "../sessions/session-store.ts";
import { audioFormats } from "./audio-format.ts";
import type { AudioStore } from "./audio-store.ts";
import type { Voice } from "./create-voice.ts";
import { readUpload, uploadContent } from "./read-upload.ts";
import { languageField } from "./recognition.ts";
import { keepRecording } from "./recordings.ts";
import type { StoredReplyAudio } from "./stored-reply-audio.ts";

interface VoiceMessageRoutesOptions {
  readonly voice: Voice;
  readonly store: AudioStore;
  readonly commands: Commands;
  readonly messages: MessageStore;
  readonly sessions: Pick<SessionStore, "find">;
  readonly sse: SseView;
  readonly identity: IdentityProvider;
  readonly audioResponse: StoredReplyAudio;
  readonly maxUploadBytes: number;
  readonly maxMessageLength: number;
}

/** The fields beside the recording, checked. */
interface VoiceMessage {
  readonly sessionId: string | undefined;
  readonly userId: string | undefined;
  readonly agentId: string | undefined;
  readonly language: string | undefined;
  readonly onBusy: SendMessage["onBusy"];
  readonly stream: boolean;
  readonly speech: NonNullable<SendMessage["turn"]["voice"]>;
}

const textField = (description: string, maxLength = 200) => ({
  type: "string",
  maxLength,
  description,
});

const describedFields = {
  session_id: textField("Without one a session is made for user_id."),
  user_id: textField("In auth.mode open."),
  audio_format: textField("Told by the content in any case."),
  enable_tts: { type: "boolean", default: true },
  stream_audio: { type: "boolean", default: false },
  voice: { type: "string", maxLength: 200, default: "default" },
  format: {
    type: "string",
    enum: [...audioFormats],
    description: "Of the reply's speech; a wish.",
  },
  speed: { type: "number", minimum: 0.25, maximum: 4, default: 1 },
  language: { ...languageField, description: "Spoken in the recording, such as en or zh." },
  agent_id: textField("For this turn only."),
  on_busy: { type: "string", enum: [...onBusyChoices] },
  stream: { type: "boolean", default: false },
};
const form = { file: "audio_file", known: Object.keys(describedFields) };

/** Spoken messages: the transcript is the user's message, its sound is kept with it, the reply is spoken too. */
export function voiceMessageRoutes(options: VoiceMessageRoutesOptions): FastifyPluginAsyncTypebox {
  const { voice, store, commands, messages, identity } = options;

  /** Before the recording is worked on: the session must exist for the caller. */
  async function checkSession(request: FastifyRequest, { sessionId, userId }: VoiceMessage) {
    if (sessionId === undefined) return;
    const session = isId(sessionId) ? await options.sessions.find(sessionId) : null;
    if (session === null || !(await mayAccess(request, session.userId, userId))) {
      throw new Problem("session_not_found", { sessionId });
    }
  }

  async function found(messageId: string) {
    const message = await messages.find(messageId);
    if (message === null) throw new Problem("message_not_found", { messageId });
    return message;
  }

  async function handle(request: FastifyRequest, reply: FastifyReply) {
    await requireAction(request, identity, "send_message");
    const { file, fields } = await readUpload(request, reply, options.maxUploadBytes, form);
    const message = readFields(fields);
    const recording = createHash("sha256").update(file).digest("hex");
    // The same recording with the same fields is the same request.
    const key = idempotencyKey(request, "POST /chat/voice", { recording, fields });
    const style = voice.style(message.speech);
    const named = message.sessionId === undefined || request.identity !== null;
    const userId = named ? callerUser(request, message.userId) : message.userId;
    if (userId !== undefined) await noteForeign(request, userId);
    await checkSession(request, message);
    using viewer = message.stream ? options.sse.admit(request) : null;

    const signal = goneSignal(reply);
    const heard = await voice.transcribe(file, {
      language: message.language,
      owner: userId ?? request.ip,
      signal,
    });
    if (heard.text.length > options.maxMessageLength) {
      const limit = `${options.maxMessageLength} characters of transcript`;
      throw new Problem("payload_too_large", { limit });
    }
    const { audioId, described } = await keepRecording(store, file, heard.durationMs);
    const { traceparent } = request;
    const sent = await commands.send({
      sessionId: message.sessionId,
      at: { kind: "head" },
      ownerId: userId ?? null,
      userId,
      identity: request.identity,
      sessionConfig: {},
      agentId: message.agentId,
      onBusy: message.onBusy,
      message: { text: heard.text, type: "voice", metadata: {}, audio: described, attachments: [] },
      turn: {
        language: request.language,
        requestId: request.id,
        ...(traceparent !== undefined && { traceparent }),
        voice: { ...message.speech, format: style.format },
        processedMessage: heard.text,
      },
      idempotency: key,
    });
    request.forgetBody();
    const question = sent.made?.userMessageId ?? (await found(sent.replyId)).replyTo;
    if (audioId !== null) await store.attach(audioId, sent.sessionId, question);
    if (viewer !== null) {
      viewer.stream(request, reply, { ...sent, after: sent.after ?? 0 });
      return reply;
    }
    if (prefersAsync(request)) {
      acceptedAsync(reply, `/chat/message/${sent.replyId}`);
      const waiting = await commands.waitsFor(sent);
      return accepted(await found(sent.replyId), sent, heard.text, waiting);
    }
    const { replyId, end } = await commands.answered(sent, signal);
    const waiting = waitsForDecision(end);
    if (waiting !== null) {
      acceptedLater(reply, `/chat/message/${replyId}`);
      return accepted(await found(replyId), sent, heard.text, waiting);
    }
    const withdrawn = withdrawnAnswer(sent, end, heard.text);
    if (withdrawn !== null) return withdrawn;
    const made = await found(replyId);
    return answer(made, await found(question ?? ""), heard.text, await options.audioResponse(made));
  }

  return async (app) => {
    await app.register(async (uploads) => {
      await takeForms(uploads);
      uploads.post(
        "/chat/voice",
        {
          ...unvalidated,
          schema: {
            tags: ["Voice"],
            security: [{ bearer: [] }, { apiKey: [] }, {}],
            summary: "Send a spoken message",
            description:
              "The answer is that of POST /chat/message, or with `stream` that of " +
              "POST /chat/message/stream. The members may also come in one JSON part `request`.",
            consumes: ["multipart/form-data"],
            headers: withPrefer(idempotencyHeaders),
            body: {
              type: "object",
              required: ["audio_file"],
              properties: { audio_file: uploadContent, ...describedFields },
            },
            response: {
              200: {
                description: "The answer, or the stream of the reply.",
                content: {
                  "application/json": { schema: ref("Answer") },
                  ...streamResponse.content,
                },
              },
              202: acceptedResponse,
              ...problemResponses(
                "malformed_json",
                "session_not_found",
                "agent_not_found",
                "session_busy",
                "session_archived",
                "idempotency_conflict",
                "payload_too_large",
                "unsupported_media_type",
                "budget_exceeded",
                "queue_full",
                "agent_failed",
                "speech_failed",
                "agent_unavailable",
                "voice_unavailable",
                "overloaded",
                "shutting_down",
                "agent_timeout",
                "speech_timeout",
              ),
            },
          },
        },
        handle,
      );
    });
  };
}

/** Form fields are strings, members of the JSON part are not: both are taken. Raises `validation_failed`. */
function readFields(fields: Readonly<Record<string, unknown>>): VoiceMessage {
  const details: ProblemDetail[] = [];
  const refuse = (name: string, fault: Omit<ProblemDetail, "path">) => {
    details.push({ path: `/${name}`, ...fault });
    return undefined;
  };
  const text = (name: string, maxLength = 200) => {
    const value = fields[name];
    if (value === undefined || value === null || value === "") return undefined;
    return typeof value === "string" && value.length <= maxLength && /\S/.test(value)
      ? value
      : refuse(name, {
          message: `must be a text of at most ${maxLength} characters`,
          zh: `必须是不超过 ${maxLength} 个字符的文本`,
        });
  };
  const flag = (name: string, fallback: boolean) => {
    const value = fields[name];
    if (value === undefined || value === null || value === "") return fallback;
    if (typeof value === "boolean") return value;
    const said = typeof value === "string" || typeof value === "number" ? String(value) : "";
    if (/^(true|1|yes|on)$/i.test(said)) return true;
    if (/^(false|0|no|off)$/i.test(said)) return false;
    refuse(name, { message: "must be true or false", zh: "必须是 true 或 false" });
    return fallback;
  };
  const choice = text("on_busy");
  const onBusy = onBusyChoices.find((each) => each === choice);
  if (choice !== undefined && !onBusy) {
    refuse("on_busy", mustBeOneOf(onBusyChoices));
  }
  const given = fields["speed"];
  const isGiven = given !== undefined && given !== null && given !== "";
  const isScalar = typeof given === "number" || typeof given === "string";
  const speed = isGiven ? (isScalar ? Number(given) : Number.NaN) : undefined;
  if (speed !== undefined && !(speed >= 0.25 && speed <= 4)) {
    refuse("speed", { message: "must be from 0.25 to 4", zh: "必须在 0.25 到 4 之间" });
  }
  const [voice, format] = [text("voice"), text("format", 20)];
  const message = {
    sessionId: text("session_id"),
    userId: text("user_id", 128),
    agentId: text("agent_id"),
    language: text("language", 35),
    onBusy: onBusy ?? null,
    stream: flag("stream", false),
    speech: {
      enable_tts: flag("enable_tts", true),
      stream_audio: flag("stream_audio", false),
      ...(voice !== undefined && { voice }),
      ...(format !== undefined && { format }),
      ...(speed !== undefined && { speed }),
    },
  };
  if (details.length > 0) throw new Problem("validation_failed", {}, { details });
  return message;
}
