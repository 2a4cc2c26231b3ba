import { readAttachments } from "../attachments/read-attachments.ts";
import { callerUser, type Caller } from "../http/caller.ts";
import type { IdempotencyKey } from "../idempotency/idempotency-store.ts";
import type { Language } from "../problems/catalogue.ts";
import type { MessageBody } from "./message-body.ts";
import type { SendMessage } from "./commands.ts";

interface Origin {
  readonly caller: Caller;
  readonly requestId: string;
  readonly traceparent: string | undefined;
  readonly language: Language;
  readonly idempotency: IdempotencyKey | null;
  readonly maxUploadBytes: number;
}

/** What a caller wants to send, from the body that every door takes. Raises `validation_failed`, `forbidden`. */
export function toTurn(body: MessageBody, origin: Origin): SendMessage {
  const { identity } = origin.caller;
  const sessionId = body.session_id ?? undefined;
  // Only a new session needs to know for whom it is; an existing one has its owner.
  const userId =
    sessionId === undefined || identity !== null || body.user_id !== undefined
      ? callerUser(origin.caller, body.user_id)
      : undefined;
  const { context, voice_config: voice } = body;
  return {
    sessionId,
    ownerId: userId ?? null,
    userId,
    userToken: identity?.token,
    sessionConfig: body.session_config ?? {},
    agentId: body.agent_id ?? undefined,
    onBusy: body.on_busy ?? null,
    ...(body.response_format && { ownSettings: { response_format: body.response_format } }),
    message: {
      text: body.message,
      type: body.message_type,
      metadata: body.metadata ?? {},
      audio: null,
      attachments: readAttachments(body.attachments ?? [], origin.maxUploadBytes),
    },
    turn: {
      language: origin.language,
      requestId: origin.requestId,
      ...(origin.traceparent !== undefined && { traceparent: origin.traceparent }),
      ...(context && { context }),
      ...(voice && { voice }),
    },
    idempotency: origin.idempotency,
  };
}
