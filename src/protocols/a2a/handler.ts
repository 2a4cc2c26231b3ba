import {
  PushNotificationNotSupportedError,
  TaskNotCancelableError,
  UnsupportedOperationError,
  A2AError,
} from "@a2a-js/sdk/errors";
import type { AgentCard, SendMessageRequest, StreamResponse, Task } from "@a2a-js/sdk";
import type { A2ARequestHandler } from "@a2a-js/sdk/server";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Catalogue } from "../../agents/catalogue.ts";
import type { Commands } from "../../chat/commands.ts";
import { requireAction } from "../../http/caller.ts";
import type { IdentityProvider } from "../../identity/identity.ts";
import { isId } from "../../lib/ids.ts";
import { Problem } from "../../problems/problem.ts";
import type { FollowReply } from "../../replies/reading/follow-reply.ts";
import type { SseView } from "../../replies/reading/sse.ts";
import type { ReplyEvent } from "../../replies/reply-event.ts";
import type { ExternalIds } from "../conversation-name.ts";
import type { WatchDisconnect } from "../disconnect.ts";
import { faulty } from "../faulty.ts";
import type { OpenedTurn, TurnOpener } from "../open-turn.ts";
import { checkSaid } from "../said.ts";
import { decisionsOf } from "./decide.ts";
import { listTasks } from "./list-tasks.ts";
import { startOf, taskProjection, taskResponse } from "./project.ts";
import { keyOf, readMessage, spoken, type SaidMessage } from "./request.ts";
import { contextOf, isOver, optionsOf, taskOfRow, type Listener } from "./task-of-row.ts";
import type { TaskRow, TaskStore } from "./task-store.ts";

export interface HandlerParts {
  readonly turns: TurnOpener;
  readonly disconnect: WatchDisconnect;
  readonly commands: Pick<Commands, "state" | "cancel">;
  readonly follow: FollowReply;
  readonly tasks: TaskStore;
  readonly externalIds: ExternalIds;
  readonly catalogue: Pick<Catalogue, "seenBy">;
  readonly sse: Pick<SseView, "admit">;
  readonly identity: IdentityProvider;
  readonly maxMessageLength: number;
  readonly maxUploadBytes: number;
  /** Aborts when this node ends: who waits is told how far its task is. */
  readonly closing: AbortSignal;
}

/** A call, and where its answer goes. */
export interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly userId: string;
  /** The agent that the path names; undefined: none. */
  readonly agentId: string | undefined;
  readonly base: string;
  /** Clients of 0.3 look for answers in the history, and some take a task in a stream for its end. */
  readonly isOld: boolean;
  /** Aborts when its answer interests nobody any more. */
  readonly signal: AbortSignal;
  readonly card: () => Promise<AgentCard>;
  /** Why the call was refused, where the library's errors cannot say it. */
  refusal?: Problem;
}

type Send = SendMessageRequest;

/** What agents can be asked by others, over the same commands as everything else. What is another's does not exist. */
export function createHandler(parts: HandlerParts, exchange: Exchange): A2ARequestHandler {
  const { turns, disconnect, commands, follow, tasks, identity } = parts;
  const { request, reply, userId, agentId } = exchange;

  /** Raises `message_not_found`. */
  const found = async (taskId: string): Promise<TaskRow> => {
    const row = isId(taskId) ? await tasks.find(taskId, userId) : null;
    if (row === null || (agentId !== undefined && row.agentId !== agentId)) {
      throw new Problem("message_not_found", { messageId: taskId });
    }
    return row;
  };

  const listener: Listener = {
    base: exchange.base,
    language: request.language,
    isOld: exchange.isOld,
  };
  const taskIn = (row: TaskRow, historyLength?: number): Task =>
    taskOfRow(row, listener, historyLength);

  /** What a message is answered with: a new task, or one that it decides about. */
  const send = async ({ message, configuration }: Send): Promise<OpenedTurn> => {
    if (configuration?.taskPushNotificationConfig !== undefined) throw noPush();
    const given = readMessage(message, parts);
    await requireAction(request, identity, "send_message");
    const key = keyOf(given, agentId);
    const turn =
      given.taskId === null ? await begin(given, key) : await decide(given, given.taskId, key);
    const ofKey = request.identity?.onDisconnect;
    // What is asked in a task can be asked for later.
    disconnect.watch(reply.raw, { ...turn, isKept: true }, { userId, key, ofKey });
    return turn;
  };

  const begin = async (given: SaidMessage, key: ReturnType<typeof keyOf>): Promise<OpenedTurn> => {
    const said = spoken(given);
    checkSaid(said, "/params/message/parts", parts.maxMessageLength);
    const agent =
      agentId === undefined ? undefined : await parts.catalogue.seenBy(request).resolve(agentId);
    return turns.open({
      request,
      reply,
      userId,
      conversation: given.conversation,
      goesOn: true,
      isKept: true,
      earlier: [],
      said,
      metadata: { a2a: { message_id: given.messageId } },
      agentId: agent?.agentId,
      ownSettings: {},
      key,
    });
  };

  const decide = async (
    given: SaidMessage,
    taskId: string,
    key: ReturnType<typeof keyOf>,
  ): Promise<OpenedTurn> => {
    const row = await found(taskId);
    const { conversation, said } = given;
    if (conversation !== null && conversation.id !== contextOf(row)) {
      throw faulty("/params/message/contextId", "is not that of the task", "不是该任务的上下文");
    }
    const named = { messageId: row.taskId, userId };
    if (row.status === "paused") {
      checkSaid(spoken(given), "/params/message/parts", parts.maxMessageLength);
      if (said.files.length > 0) {
        throw faulty("/params/message/parts", "takes no files here", "此处不接受文件");
      }
      const decisions = decisionsOf(given, row.requirements ?? []);
      return turns.decide(request, named, decisions, key);
    }
    // The same message again, which has been taken.
    const again = await turns.decided(request, named, key);
    if (again !== null) return again;
    const isRunning = row.status === "queued" || row.status === "streaming";
    throw new UnsupportedOperationError(
      isRunning
        ? `Task ${taskId} waits for nothing now: send the message without taskId, and it is answered after this one.`
        : `Task ${taskId} has ended: send the message without taskId, with its contextId to go on.`,
    );
  };

  /** Resolves when a reply rests, nobody is interested any more, or this node ends. */
  const rested = async (replyId: string, after: number): Promise<void> => {
    const signal = AbortSignal.any([exchange.signal, parts.closing]);
    for await (const _ of follow(replyId, after, signal));
    exchange.signal.throwIfAborted();
  };

  /** A place among those who wait. */
  const waiting = async <T>(work: () => Promise<T>): Promise<T> => {
    const viewer = parts.sse.admit(request);
    try {
      return await work();
    } finally {
      viewer[Symbol.dispose]();
    }
  };

  /** The task as it is behind event `after`, and then what changes. */
  const told = async function* (
    row: TaskRow,
    after: number,
    beginsWithTask: boolean,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const options = optionsOf(row, listener);
    const projection = taskProjection(options);
    let state = projection.initial;
    let isBegun = false;
    for await (const page of follow(row.taskId, 0, exchange.signal)) {
      for (const { seq, json } of page ?? []) {
        const [next, events] = projection.project(state, JSON.parse(json) as ReplyEvent, seq);
        state = next;
        if (isBegun) for (const { data } of events) yield data;
      }
      if (isBegun || page === null || (page.at(-1)?.seq ?? 0) < after) continue;
      isBegun = true;
      if (beginsWithTask) yield taskResponse(options, state);
      else yield* startOf(options, state);
    }
  };

  /** What is refused is told in the language and with the type of this service, what breaks to its log alone. */
  const refusing = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof A2AError)) {
        exchange.refusal =
          error instanceof Problem ? error : new Problem("internal_error", {}, { cause: error });
      }
      throw error;
    }
  };

  const stream = async function* (
    begin: () => Promise<AsyncGenerator<StreamResponse, void, undefined>>,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    yield* await refusing(begin);
  };

  const push = () => Promise.reject(noPush());

  return {
    getAgentCard: () => refusing(exchange.card),

    getAuthenticatedExtendedAgentCard: () => refusing(exchange.card),

    sendMessage: (asked) =>
      refusing(() =>
        waiting(async () => {
          const turn = await send(asked);
          const { returnImmediately = false, historyLength } = asked.configuration ?? {};
          if (!returnImmediately) await rested(turn.replyId, turn.after);
          return taskIn(await found(turn.replyId), historyLength);
        }),
      ),

    sendMessageStream: (asked) =>
      stream(async () => {
        const { replyId, after } = await send(asked);
        return told(await found(replyId), after, !exchange.isOld);
      }),

    getTask: ({ id, historyLength }) =>
      refusing(async () => {
        await requireAction(request, identity, "access_chat_session");
        await request.charge("read");
        return taskIn(await found(id), historyLength);
      }),

    listTasks: (asked) =>
      refusing(async () => {
        await requireAction(request, identity, "access_chat_session");
        await request.charge("search");
        const { rows, ...page } = await listTasks(asked, { userId, agentId }, parts);
        const withText = asked.includeArtifacts === true;
        const shown = rows.map((row) => taskIn(row, asked.historyLength));
        const listed = withText ? shown : shown.map((task) => ({ ...task, artifacts: [] }));
        return { ...page, tasks: listed };
      }),

    cancelTask: ({ id }) =>
      refusing(async () => {
        await requireAction(request, identity, "send_message");
        await request.charge("steer");
        const { taskId, status } = await found(id);
        if (isOver(status)) {
          throw new TaskNotCancelableError(`Task ${id} has ended.`);
        }
        await commands.cancel(request, { messageId: taskId, userId });
        return taskIn(await found(taskId));
      }),

    resubscribe: ({ id }) =>
      stream(async () => {
        await requireAction(request, identity, "access_chat_session");
        await request.charge("follow");
        const row = await found(id);
        if (isOver(row.status)) {
          throw new UnsupportedOperationError(`Task ${id} has ended: ask for it with GetTask.`);
        }
        return told(row, 0, true);
      }),

    createTaskPushNotificationConfig: push,
    getTaskPushNotificationConfig: push,
    listTaskPushNotificationConfigs: push,
    deleteTaskPushNotificationConfig: push,
  };
}

function noPush(): PushNotificationNotSupportedError {
  return new PushNotificationNotSupportedError(
    "Nothing is posted to addresses of callers: subscribe to the task, or ask for it again.",
  );
}
