import { replyProblem } from "../../../chat/answer.ts";
import type { Commands } from "../../../chat/commands.ts";
import type { MessageStore } from "../../../chat/message-store.ts";
import { requireAction } from "../../../http/caller.ts";
import type { IdempotencyKey } from "../../../idempotency/idempotency-store.ts";
import type { IdentityProvider } from "../../../identity/identity.ts";
import { Problem } from "../../../problems/problem.ts";
import type { SseView } from "../../../replies/reading/sse.ts";
import type { ReplyState } from "../../../replies/reply.ts";
import type { WatchDisconnect } from "../../disconnect.ts";
import type { OpenedTurn, TurnOpener } from "../../open-turn.ts";
import { checkSaid } from "../../said.ts";
import { adviceOf } from "../advice.ts";
import { ask, decisionsOf, type Asked } from "../elicit.ts";
import { toolError } from "../errors.ts";
import { answerOf } from "../project.ts";
import { keyOf, type Exchange } from "../request.ts";
import { page, toText, type Args, type Call, type Result } from "./tool.ts";
import { createWaitForReply, type WaitParts } from "./wait-for-reply.ts";

export interface ReplyToolParts extends WaitParts {
  readonly turns: TurnOpener;
  readonly disconnect: WatchDisconnect;
  readonly commands: Pick<Commands, "state" | "cancel">;
  readonly messages: Pick<MessageStore, "find">;
  readonly sse: Pick<SseView, "admit">;
  readonly identity: IdentityProvider;
  readonly maxMessageLength: number;
}

/** Replies: asked for, waited for, decided about, stopped. */
export function replyTools(parts: ReplyToolParts) {
  const { turns, disconnect, commands, messages, identity } = parts;
  const waitForReply = createWaitForReply(parts);

  /** Raises `message_not_found`. */
  const ownReply = async ({ exchange }: Call, messageId: string): Promise<ReplyState> => {
    const { request, userId } = exchange;
    const reply = await commands.state(request, { messageId, userId });
    if (reply.userId !== userId) throw new Problem("message_not_found", { messageId });
    return reply;
  };

  /** Of a reply what a result says, or what must be asked of the person first. */
  const answered = async (call: Call, messageId: string, offset: number, mayAsk = true) => {
    const reply = await ownReply(call, messageId);
    const { language } = call.exchange.request;
    const state = await waitForReply(call, messageId);
    const { status } = state;
    if (status === "failed") {
      const error = (await messages.find(messageId))?.error ?? null;
      const problem =
        error === null
          ? new Problem("agent_failed", { agentId: reply.agentId })
          : replyProblem(error, reply.agentId);
      return toolError(problem, language, state.text);
    }
    if (state.status === "paused" && mayAsk) {
      const asked = ask(call.context, { ...reply, requirements: state.requirements }, language);
      if (asked !== null) return asked;
    }
    const { sessionId, agentId } = reply;
    const answer = answerOf({ sessionId, messageId, agentId }, { ...state, status }, offset);
    const advice = adviceOf(answer, language);
    return {
      structuredContent: answer,
      content: [answer.text, advice].filter((text) => text !== "").map(toText),
    };
  };

  /** What a person was asked about in the course of a call is decided, and the call goes on. */
  const decideAsked = async (call: Call, asked: Asked) => {
    const reply = await ownReply(call, asked.messageId);
    const decisions = decisionsOf(asked, reply.requirements ?? []);
    // Meanwhile somebody may have decided elsewhere; whoever does not answer leaves it open.
    if (reply.status !== "paused" || decisions === null) {
      return answered(call, asked.messageId, 0, false);
    }
    return decide(call, { message_id: asked.messageId, decisions });
  };

  const watch = (
    { exchange, endsWithConnection }: Call,
    turn: OpenedTurn,
    key: IdempotencyKey,
  ): void => {
    const { request, reply, userId } = exchange;
    const ofKey = request.identity?.onDisconnect;
    const isKept = turn.isKept && !endsWithConnection;
    disconnect.watch(reply.raw, { ...turn, isKept }, { userId, key, ofKey });
  };

  /** A call that waits has a place among those who do; one takes it before anything is stored. */
  const waiting = async <T>({ request }: Exchange, work: () => Promise<T>): Promise<T> => {
    const viewer = parts.sse.admit(request);
    try {
      return await work();
    } finally {
      viewer[Symbol.dispose]();
    }
  };

  const decide = async (call: Call, { message_id: messageId, decisions }: Args<"decide">) => {
    const { exchange, context } = call;
    const { request, userId } = exchange;
    await requireAction(request, identity, "send_message");
    await ownReply(call, messageId);
    const key = keyOf(exchange, "mcp decide", context.mcpReq.id, { messageId, decisions });
    return waiting(exchange, async () => {
      const turn = await turns.decide(request, { messageId, userId }, decisions, key);
      watch(call, turn, key);
      return answered(call, messageId, turn.shown);
    });
  };

  return {
    decideAsked,

    async ask_agent(call: Call, args: Args<"ask_agent">) {
      const { exchange, context } = call;
      const { request, reply, userId } = exchange;
      const { message: text, session_id: sessionId, agent_id: agentId } = args;
      const said = { text, files: [] };
      checkSaid(said, "/message", parts.maxMessageLength);
      await requireAction(request, identity, "send_message");
      const key = keyOf(exchange, "mcp ask_agent", context.mcpReq.id, args);
      const place = { at: { kind: "head" }, interrupts: false } as const;
      exchange.signal.throwIfAborted();
      return waiting(exchange, async () => {
        const turn = await turns.open({
          request,
          reply,
          userId,
          conversation: null,
          ...(sessionId !== undefined && { place: { sessionId, ...place } }),
          isKept: true,
          earlier: [],
          said,
          agentId,
          ownSettings: {},
          key,
        });
        watch(call, turn, key);
        return answered(call, turn.replyId, 0);
      });
    },

    async read_reply(call: Call, { message_id: messageId, offset }: Args<"read_reply">) {
      const { request } = call.exchange;
      await requireAction(request, identity, "access_chat_session");
      await request.charge("follow");
      return waiting(call.exchange, () => answered(call, messageId, offset));
    },

    decide,

    async stop_reply(call: Call, { message_id: messageId }: Args<"stop_reply">) {
      const { request, userId } = call.exchange;
      await requireAction(request, identity, "send_message");
      await request.charge("steer");
      await ownReply(call, messageId);
      await commands.cancel(request, { messageId, userId });
      const { sessionId, status } = await ownReply(call, messageId);
      return page<Result<"stop_reply">>({
        session_id: sessionId,
        message_id: messageId,
        status,
      });
    },
  };
}
