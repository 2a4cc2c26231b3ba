import type { MessageStore, StoredMessage } from "../../chat/message-store.ts";
import { wireExtras } from "../../replies/extras.ts";
import type { ReplyEvent } from "../../replies/reply-event.ts";
import type { FollowReply } from "../../replies/reading/follow-reply.ts";
import type { FramedEvent } from "../../replies/reading/sse.ts";
import type { FoundSession } from "../../sessions/session-store.ts";
import { headOf, pathTo } from "../../tree/tree.ts";
import { notedOf } from "../ag-ui/open-run.ts";
import { runProjection } from "../ag-ui/project.ts";
import { messagesOf, type Message } from "../ag-ui/run/messages.ts";
import type { RunOptions, RunState, StoredCall } from "../ag-ui/run/telling.ts";
import { stride, view } from "../view.ts";

/** Of a thread the newest messages, fewer where they are very long: opening it costs the same however long it is. */
export const maxMessages = 100;

export interface HistoryParts {
  readonly messages: Pick<MessageStore, "history">;
  readonly follow: FollowReply;
}

interface Turn {
  readonly asked: readonly StoredMessage[];
  readonly reply: StoredMessage;
}

/** What a client asks for that opens a thread. */
interface Opening {
  readonly threadId: string;
  readonly runId: string;
  /** What it has of the thread already. */
  readonly has: readonly Message[];
  readonly isOld: boolean;
}

/**
 * A thread from its stored messages: each turn that is over is a run, then come those that are being made, until they are
 * over. A client that has something of it already gets all of that in one piece, which takes its place.
 */
export function createThreadHistory({ messages, follow }: HistoryParts) {
  const turnsOf = async (session: FoundSession): Promise<Turn[]> => {
    const path = pathTo(session.tree, headOf(session.tree));
    const newest = { kind: "before", seq: Number.POSITIVE_INFINITY } as const;
    const page = await messages.history(session, path, {}, newest, maxMessages);
    const turns: Turn[] = [];
    let asked: StoredMessage[] = [];
    for (const message of page.messages) {
      if (message.role === "user") asked.push(message);
      if (message.role !== "assistant") continue;
      turns.push({ asked, reply: message });
      asked = [];
    }
    return turns;
  };

  return async function* (
    session: FoundSession,
    { threadId, runId, has, isOld }: Opening,
    signal: AbortSignal,
  ): AsyncGenerator<readonly FramedEvent[] | null, void, void> {
    const turns = await turnsOf(session);
    const optionsOf = ({ asked, reply }: Turn): RunOptions => ({
      messageId: reply.messageId,
      threadId,
      runId: notedOf(asked.at(-1) ?? null).run_id ?? reply.messageId,
      input: asked.map(messageOf),
      isOld,
      storedCalls: (reply.toolCalls ?? []) as StoredCall[],
    });
    const done: { readonly events: readonly object[]; readonly messages: readonly Message[] }[] =
      [];
    const live: Turn[] = [];
    for (const turn of turns) {
      if (isLive(turn.reply)) live.push(turn);
      else {
        const { events, state } = folded(turn.reply, optionsOf(turn));
        done.push({ events, messages: [...turn.asked.map(messageOf), ...messagesOf(state)] });
      }
    }
    const held = done.flatMap((run) => run.messages);
    if (has.length > 0) {
      // Thinking is kept by clients unless it is named; what is made goes on with an empty one.
      const begun = has
        .filter(({ id, role }) => role === "reasoning" && live.some(isOf(id)))
        .map(({ id }) => ({ id, role: "reasoning", content: "" }));
      yield [
        { type: "RUN_STARTED", threadId, runId, protocolVersion: "1.0" },
        { type: "MESSAGES_SNAPSHOT", messages: [...held, ...begun] },
        { type: "RUN_FINISHED", threadId, runId, outcome: { type: "success" } },
      ].map(framed);
    } else {
      for (const { events } of done) yield events.map(framed);
    }
    for (const turn of live) {
      held.push(...turn.asked.map(messageOf));
      let last: RunState | null = null;
      const projection = runProjection({ ...optionsOf(turn), held: [...held], goesOn: true });
      const onState = (state: RunState) => (last = state);
      const followed = follow(turn.reply.messageId, 0, signal);
      for await (const page of view(followed, projection, onState)) {
        yield page && page.map(({ json }) => ({ seq: null, json }));
      }
      if (last !== null) held.push(...messagesOf(last));
    }
  };
}

function isOf(id: string) {
  return ({ reply }: Turn) => id.startsWith(reply.messageId);
}

function isLive({ status }: StoredMessage): boolean {
  return status === "queued" || status === "streaming" || status === "paused";
}

function framed(event: object): FramedEvent {
  return { seq: null, json: JSON.stringify(event) };
}

/** A stored reply, as the same view shows it whose log is gone. */
function folded(reply: StoredMessage, options: RunOptions) {
  const { initial, project } = runProjection(options);
  const [begun, told] = project(initial, snapshotOf(reply), stride);
  const [state, end] = project(begun, endOf(reply), 2 * stride);
  return { state, events: [...told, ...end].map(({ data }) => data) };
}

function stampOf({ sessionId, messageId, createdAt }: StoredMessage) {
  return {
    session_id: sessionId,
    message_id: messageId,
    timestamp: createdAt.toISOString(),
  };
}

function snapshotOf(reply: StoredMessage): ReplyEvent {
  return {
    type: "snapshot",
    ...stampOf(reply),
    content: reply.content,
    ...(reply.reasoning !== null && { reasoning: reply.reasoning }),
    ...wireExtras(reply.extras),
  };
}

/** One that failed long ago is told as one that was stopped: to clients an error is something that happens now. */
function endOf(reply: StoredMessage): ReplyEvent {
  const { status, content, agentId, finishReason, usage, error } = reply;
  if (status !== "complete") {
    const reason = error?.type ?? finishReason ?? status;
    return { type: "cancelled", ...stampOf(reply), full_response: content, reason };
  }
  return {
    type: "conversation_complete",
    ...stampOf(reply),
    full_response: content,
    agent_id: agentId,
    finish_reason: finishReason ?? "stop",
    usage,
    duration_ms: 0,
    time_to_first_token_ms: null,
  };
}

/** What the user said, by the client's own id where it gave one. */
function messageOf(message: StoredMessage): Message {
  const { messageId, content, attachments } = message;
  const files = (attachments ?? []).map(({ attachment_id, name, media_type }) => ({
    attachment_id,
    name,
    media_type,
  }));
  return {
    id: notedOf(message).message_id ?? messageId,
    role: "user",
    content,
    ...(files.length > 0 && { metadata: { chat_service: { attachments: files } } }),
  };
}
