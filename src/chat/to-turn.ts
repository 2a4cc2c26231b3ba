import { readAttachments } from "../attachments/read-attachments.ts";
import { callerUser, type Caller } from "../http/caller.ts";
import type { IdempotencyKey } from "../idempotency/idempotency-store.ts";
import type { Language } from "../problems/catalogue.ts";
import type { MessageBody } from "./message-body.ts";
import type { SendMessage } from "./turns.ts";

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
  return {
    sessionId,
    ownerId: userId ?? null,
    userId,
    userToken: identity?.token,
    message: body.message,
    messageType: body.message_type,
    agentId: body.agent_id ?? undefined,
    onBusy: body.on_busy ?? null,
    context: body.context ?? undefined,
    metadata: body.metadata ?? {},
    sessionConfig: body.session_config ?? {},
    voice: body.voice_config ?? undefined,
    attachments: readAttachments(body.attachments ?? [], origin.maxUploadBytes),
    requestId: origin.requestId,
    traceparent: origin.traceparent,
    language: origin.language,
    idempotency: origin.idempotency,
  };
}
