import type { Attachment } from "../agents/agent-backend.ts";
import type { Catalogue } from "../agents/catalogue.ts";
import type { RateLimiter } from "../cache/rate-limiter.ts";
import type { IdempotencyKey } from "../idempotency/idempotency-store.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { Replies } from "../replies/lifecycle/replies.ts";
import type { Turn, VoiceRequest } from "../replies/turn.ts";
import type { Sessions } from "../sessions/sessions.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { AcceptTurn, OnBusy } from "./accept-turn.ts";

interface TurnsOptions {
  readonly accept: AcceptTurn;
  readonly sessions: Sessions;
  readonly catalogue: Catalogue;
  readonly replies: Replies;
  readonly limiter: RateLimiter;
  readonly telemetry: Telemetry;
  /** Messages a minute and user; 0: no limit. */
  readonly messageRateLimit: number;
}

/** A message that somebody wants to send, from whatever door it came. */
export interface SendMessage {
  /** Undefined: a session is made for `userId`. */
  readonly sessionId: string | undefined;
  /** The session must belong to this user; null: whoever owns it (nobody has proven to be anybody). */
  readonly ownerId: string | null;
  /** For whom a session is made; also the scope of the rate limit. */
  readonly userId: string | undefined;
  readonly userToken: string | undefined;
  readonly message: string;
  readonly messageType: "text" | "voice";
  readonly agentId: string | undefined;
  readonly onBusy: OnBusy | null;
  readonly context: Readonly<Record<string, unknown>> | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly sessionConfig: Readonly<Record<string, unknown>>;
  readonly voice: VoiceRequest | undefined;
  /** What the stored user message says about the audio it was spoken in. */
  readonly audio?: object;
  readonly attachments?: readonly Attachment[];
  /** The transcript, when the message was spoken. */
  readonly processedMessage?: string;
  readonly requestId: string;
  readonly traceparent: string | undefined;
  readonly language: Turn["language"];
  readonly idempotency: IdempotencyKey | null;
}

/** The reply that a message has led to, now or when the same request came first. */
export interface SentMessage {
  readonly sessionId: string;
  readonly replyId: string;
}

export type Turns = ReturnType<typeof createTurns>;

/** Takes messages in: everything that can be refused is refused here, before anything is told or streamed. */
export function createTurns(options: TurnsOptions) {
  const { accept, sessions, catalogue, replies, limiter, telemetry, messageRateLimit } = options;

  const limitRate = async (scope: string) => {
    if (messageRateLimit === 0) return;
    const decision = await limiter.take(`messages:${scope}`, {
      limit: messageRateLimit,
      periodMs: 60_000,
    });
    if (decision.allowed) return;
    const seconds = Math.max(1, Math.ceil(decision.retryAfterMs / 1000));
    throw new Problem("rate_limited", { seconds }, { retryAfterSeconds: seconds });
  };

  return {
    /** When it resolves, the message is durable and its reply runs, waits, or has long been made. */
    async send(request: SendMessage): Promise<SentMessage> {
      const { sessionId } = request;
      if (sessionId !== undefined && !isId(sessionId)) {
        throw new Problem("session_not_found", { sessionId });
      }
      await limitRate(request.userId ?? `session:${sessionId}`);
      const agentId =
        request.agentId === undefined
          ? undefined
          : (await catalogue.resolve(request.agentId)).agentId;
      const newSession =
        sessionId === undefined
          ? await sessions.prepare({
              userId: request.userId ?? "",
              agentId,
              config: request.sessionConfig,
              metadata: {},
            })
          : null;
      const accepted = await accept({
        sessionId: newSession?.sessionId ?? sessionId ?? "",
        newSession,
        userId: request.ownerId,
        message: request.message,
        metadata: request.metadata,
        agentId,
        onBusy: request.onBusy,
        turn: {
          language: request.language,
          requestId: request.requestId,
          ...(request.traceparent !== undefined && { traceparent: request.traceparent }),
          ...(request.context !== undefined && { context: request.context }),
          ...(request.voice !== undefined && { voice: request.voice }),
          ...(request.processedMessage !== undefined && {
            processedMessage: request.processedMessage,
          }),
        },
        audio: request.audio ?? null,
        attachments: request.attachments ?? [],
        idempotency: request.idempotency,
      });
      if ("earlier" in accepted) {
        const { sessionId: earlierSession, messageId } = accepted.earlier;
        // The key was used to create a session: that is another request.
        if (messageId === null) throw new Problem("idempotency_conflict", {});
        return { sessionId: earlierSession, replyId: messageId };
      }
      const { reply, queuePosition, displaced, interrupted } = accepted;
      telemetry.turnAccepted({
        sessionId: reply.sessionId,
        replyId: reply.replyId,
        agentId: reply.agentId,
        type: request.messageType,
        queued: queuePosition !== null,
      });
      for (const { ended, ...state } of displaced) {
        await replies.tellCancelled(state, ended, "interrupted_by_user");
      }
      await replies.begin(reply, queuePosition, request.userToken);
      if (interrupted !== null) await replies.signal(interrupted);
      return { sessionId: reply.sessionId, replyId: reply.replyId };
    },
  };
}
