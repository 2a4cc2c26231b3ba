import { readAttachments } from "../attachments/read-attachments.ts";
import { callerUser, type Caller } from "../http/caller.ts";
import type { IdempotencyKey } from "../idempotency/idempotency-store.ts";
import type { Language } from "../problems/catalogue.ts";
import type { UserMessage } from "../replies/lifecycle/acceptance.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { AmendBody, MessageBody, RegenerateBody } from "./message-body.ts";
import type { SendMessage, TurnAt, WaitingChange } from "./commands.ts";

type TurnBody = Partial<
  Pick<
    MessageBody,
    "session_config" | "agent_id" | "on_busy" | "response_format" | "context" | "voice_config"
  >
>;

export interface Origin {
  readonly caller: Caller;
  readonly requestId: string;
  readonly traceparent: string | undefined;
  readonly language: Language;
  readonly idempotency: IdempotencyKey | null;
  readonly maxUploadBytes: number;
}

/** What a caller wants to send, from the body that every door takes. Raises `validation_failed`, `forbidden`. */
export function toTurn(
  body: MessageBody,
  origin: Origin,
): SendMessage & { readonly message: UserMessage } {
  const { identity } = origin.caller;
  const sessionId = body.session_id ?? undefined;
  // Only a new session needs to know for whom it is; an existing one has its owner.
  const userId =
    sessionId === undefined || identity !== null || body.user_id !== undefined
      ? callerUser(origin.caller, body.user_id)
      : undefined;
  const parent = body.parent_message_id;
  return {
    ...turnAt(body, origin),
    sessionId,
    at: parent === undefined ? { kind: "head" } : { kind: "below", messageId: anchored(parent) },
    ownerId: userId ?? null,
    userId,
    identity,
    message: messageOf(body, origin),
  };
}

/** What of a body says how to answer, wherever the message hangs. */
export function turnAt(body: TurnBody, origin: Origin): TurnAt {
  const { context, voice_config: voice } = body;
  return {
    sessionConfig: body.session_config ?? {},
    agentId: body.agent_id ?? undefined,
    onBusy: body.on_busy ?? null,
    ...(body.response_format && { ownSettings: { response_format: body.response_format } }),
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

/** What of a body is said. Raises `validation_failed`, `payload_too_large`. */
function messageOf(
  body: Pick<MessageBody, "message" | "message_type" | "metadata" | "attachments">,
  { maxUploadBytes }: Pick<Origin, "maxUploadBytes">,
): UserMessage {
  return {
    text: body.message,
    type: body.message_type,
    metadata: body.metadata ?? {},
    audio: null,
    attachments: readAttachments(body.attachments ?? [], maxUploadBytes),
  };
}

/** The same of a message that stands beside another one: without `attachments` those of that one. */
export function editOf(
  body: Pick<MessageBody, "message" | "message_type" | "metadata" | "attachments">,
  origin: Pick<Origin, "maxUploadBytes">,
): UserMessage {
  const message = messageOf(body, origin);
  return body.attachments ? message : { ...message, attachments: null };
}

/** What of a waiting message is to be otherwise. Raises `validation_failed`, `payload_too_large`. */
export function amendmentOf(
  body: AmendBody,
  { maxUploadBytes }: Pick<Origin, "maxUploadBytes">,
): WaitingChange {
  const { context, voice_config: voice, response_format: format } = body;
  return {
    text: body.message,
    attachments: body.attachments ? readAttachments(body.attachments, maxUploadBytes) : null,
    metadata: body.metadata ?? undefined,
    agentId: body.agent_id ?? undefined,
    sessionConfig: body.session_config ?? {},
    ownSettings: { ...(format && { response_format: format }) },
    turn: { ...(context && { context }), ...(voice && { voice }) },
  };
}

/** For one turn, as callers write them. */
export function settingsOfTurn({
  model,
  temperature,
  instructions,
}: RegenerateBody): Readonly<Record<string, unknown>> {
  return { model, temperature, instructions };
}

function anchored(messageId: string | null): string | null {
  if (messageId !== null && !isId(messageId)) throw new Problem("message_not_found", { messageId });
  return messageId;
}
