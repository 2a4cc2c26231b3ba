import type {
  CallToolResult,
  InputRequiredResult,
  ServerContext,
} from "@modelcontextprotocol/server";
import type { Static } from "typebox";
import type { Catalogue } from "../../agents/catalogue.ts";
import { localized } from "../../agents/localized.ts";
import { replyProblem } from "../../chat/answer.ts";
import type { Commands } from "../../chat/commands.ts";
import type { MessageStore } from "../../chat/message-store.ts";
import { isSearchPosition } from "../../chat/search-routes.ts";
import { requireAction } from "../../http/caller.ts";
import { decodeCursor, encodeCursor, isRowNumber } from "../../http/cursor.ts";
import { moment } from "../../http/moment.ts";
import { createBodyCheck } from "../../http/validation.ts";
import type { IdentityProvider } from "../../identity/identity.ts";
import { cutText } from "../../lib/clean-text.ts";
import { isId } from "../../lib/ids.ts";
import { Problem } from "../../problems/problem.ts";
import type { FollowReply } from "../../replies/reading/follow-reply.ts";
import type { SseView } from "../../replies/reading/sse.ts";
import type { ReplyState } from "../../replies/reply.ts";
import type { SearchStore } from "../../search/search-store.ts";
import { isSessionPosition } from "../../sessions/routes.ts";
import type { FoundSession, SessionStore } from "../../sessions/session-store.ts";
import { holds } from "../../tree/ranges.ts";
import { headOf, pathTo } from "../../tree/tree.ts";
import type { WatchDisconnect } from "../disconnect.ts";
import type { OpenedTurn, TurnOpener } from "../open-turn.ts";
import { checkSaid } from "../said.ts";
import { view } from "../view.ts";
import { adviceOf } from "./advice.ts";
import { ask, askedBefore, decisionsOf, type Asked } from "./elicit.ts";
import { toolError } from "./errors.ts";
import { answerOf, answerProjection, type AnswerState } from "./project.ts";
import { keyOf, type Exchange } from "./request.ts";
import { maxAgents, maxListedLength, tools, type ToolName } from "./schemas.ts";

export interface ToolParts {
  readonly turns: TurnOpener;
  readonly disconnect: WatchDisconnect;
  readonly commands: Pick<Commands, "state" | "cancel">;
  readonly follow: FollowReply;
  readonly messages: Pick<MessageStore, "find" | "seqOf" | "history">;
  readonly sessionStore: Pick<SessionStore, "find" | "list">;
  readonly search: Pick<SearchStore, "find">;
  readonly catalogue: Pick<Catalogue, "seenBy">;
  readonly sse: Pick<SseView, "admit">;
  readonly identity: IdentityProvider;
  readonly maxMessageLength: number;
  /** A call waits so long for a reply. */
  readonly waitMs: number;
  /** Aborts when this node ends: calls are told how far their replies are, and these go on elsewhere. */
  readonly closing: AbortSignal;
}

/** One call of a tool. */
interface Call {
  readonly exchange: Exchange;
  readonly context: ServerContext;
  /** Closing the connection takes the call back, as the newer versions have it. */
  readonly endsWithConnection: boolean;
}

/** As the library takes it, with the texts for clients that read nothing else. */
interface ToolResult {
  readonly structuredContent: Record<string, unknown>;
  readonly content: { readonly type: "text"; readonly text: string }[];
}

type Args<N extends ToolName> = Static<(typeof tools)[N]["input"]>;
type Result<N extends ToolName> = Static<(typeof tools)[N]["output"]>;

type RunTool = (call: Call, args: unknown) => Promise<CallToolResult | InputRequiredResult>;
type Key = Parameters<WatchDisconnect["watch"]>[2]["key"];

interface Notice {
  readonly message: string;
}

/** Tools whose calls may need a person. */
const asks: ReadonlySet<ToolName> = new Set(["ask_agent", "read_reply", "decide"]);
const maxDescription = 500;
const maxPrompts = 5;

const checks = Object.fromEntries(
  Object.entries(tools).map(([name, { input }]) => [name, createBodyCheck(input)]),
) as { readonly [N in ToolName]: (value: unknown) => Args<N> };

export type Tools = ReturnType<typeof createTools>;

/** What the tools do, over the same commands as everything else. Whatever is another's does not exist, for administrators too. */
export function createTools(parts: ToolParts) {
  const { turns, disconnect, commands, follow, messages, sessionStore, search, identity } = parts;

  /** Raises `message_not_found`. */
  const ownReply = async ({ exchange }: Call, messageId: string): Promise<ReplyState> => {
    const { request, userId } = exchange;
    const reply = await commands.state(request, { messageId, userId });
    if (reply.userId !== userId) throw new Problem("message_not_found", { messageId });
    return reply;
  };

  /** Raises `session_not_found`. */
  const ownSession = async ({ exchange }: Call, sessionId: string): Promise<FoundSession> => {
    const session = isId(sessionId) ? await sessionStore.find(sessionId) : null;
    if (session === null || session.userId !== exchange.userId) {
      throw new Problem("session_not_found", { sessionId });
    }
    return session;
  };

  /** Follows a reply until it rests or the time is over, and tells of its progress. */
  const followed = async (call: Call, replyId: string): Promise<AnswerState> => {
    const { exchange, context } = call;
    const projection = answerProjection(exchange.request.language);
    const tell = progressOf(context);
    let state = projection.initial;
    let isCut = false;
    const stopped = new AbortController();
    const timer = setTimeout(() => stopped.abort(), parts.waitMs);
    const signal = AbortSignal.any([
      exchange.signal,
      context.mcpReq.signal,
      parts.closing,
      stopped.signal,
    ]);
    try {
      const shown = view(follow(replyId, 0, signal), projection, {
        onState: (next) => (state = next),
      });
      for await (const notices of shown) {
        // What there is of a reply already comes at once: its last notice says it all.
        const last = notices?.at(-1);
        await tell(last === undefined ? undefined : (JSON.parse(last.json) as Notice).message);
        // Nothing goes on here before somebody decides about another reply.
        if (state.waitsFor !== null) return state;
      }
      isCut = signal.aborted;
    } finally {
      clearTimeout(timer);
      stopped.abort();
    }
    // It ends by itself where the reply rests; what goes on behind a pause is not paused any more.
    if (isCut && state.status === "paused") {
      return { ...state, status: "running", requirements: [] };
    }
    return state;
  };

  /** Of a reply what a result says, or what must be asked of the person first. */
  const answered = async (call: Call, messageId: string, offset: number, mayAsk = true) => {
    const reply = await ownReply(call, messageId);
    const { language } = call.exchange.request;
    const state = await followed(call, messageId);
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

  const watch = ({ exchange, endsWithConnection }: Call, turn: OpenedTurn, key: Key): void => {
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

  const page = <T extends object>(result: T): ToolResult => ({
    structuredContent: result as Record<string, unknown>,
    content: [toText(JSON.stringify(result))],
  });

  const run = {
    async list_agents({ exchange }: Call, { cursor }: Args<"list_agents">) {
      const { language } = exchange.request;
      const all = parts.catalogue.seenBy(exchange.request).list();
      const from =
        cursor === undefined
          ? 0
          : all.findIndex(({ agentId }) => agentId === decodeCursor(cursor, isAgent).agentId) + 1;
      const some = all.slice(from, from + maxAgents);
      const last = some.at(-1);
      const isMore = last !== undefined && from + some.length < all.length;
      return page<Result<"list_agents">>({
        agents: some.map(({ agentId, descriptor, status }) => ({
          agent_id: agentId,
          name: localized(descriptor.name, language),
          description: cutText(localized(descriptor.description, language), maxDescription),
          type: descriptor.type,
          status,
          tools: [...descriptor.tools],
          suggested_prompts: (descriptor.prompts ?? [])
            .slice(0, maxPrompts)
            .map((prompt) => cutText(prompt, maxDescription)),
        })),
        next_cursor: isMore ? encodeCursor({ agentId: last.agentId }) : null,
      });
    },

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

    async search_history({ exchange }: Call, args: Args<"search_history">) {
      const { request, userId } = exchange;
      await requireAction(request, identity, "access_chat_session");
      await request.charge("search");
      const after = args.cursor === undefined ? null : decodeCursor(args.cursor, isSearchPosition);
      const filter = {
        userId,
        sessionId: args.session_id,
        agentId: args.agent_id,
        role: args.role,
        since: moment("since", args.since),
        until: moment("until", args.until),
        status: args.status,
      };
      const { hits, next } = await search.find(args.q, filter, after, args.limit);
      return page<Result<"search_history">>({
        hits: hits.map((hit) => ({
          message_id: hit.messageId,
          session_id: hit.sessionId,
          session_title: hit.sessionTitle,
          role: hit.role,
          agent_id: hit.agentId,
          timestamp: hit.createdAt.toISOString(),
          snippet: hit.snippet,
        })),
        next_cursor: next === null ? null : encodeCursor(next),
      });
    },

    async list_sessions({ exchange }: Call, args: Args<"list_sessions">) {
      const { request, userId } = exchange;
      await requireAction(request, identity, "access_chat_session");
      await request.charge("list");
      const { status, agent_id: agentId, limit, cursor } = args;
      const after =
        cursor === undefined ? undefined : decodeCursor(cursor, isSessionPosition(false));
      const { sessions, hasMore } = await sessionStore.list(
        { userId, status, agentId },
        { limit, offset: 0, after },
      );
      const last = sessions.at(-1);
      return page<Result<"list_sessions">>({
        sessions: sessions.map((session) => ({
          session_id: session.sessionId,
          title: session.title,
          agent_id: session.agentId,
          status: session.status,
          message_count: session.messageCount,
          created_at: session.createdAt.toISOString(),
          last_activity: session.lastActivity.toISOString(),
        })),
        next_cursor:
          hasMore && last !== undefined
            ? encodeCursor({ lastActivity: last.position, sessionId: last.sessionId })
            : null,
      });
    },

    async read_session(call: Call, args: Args<"read_session">) {
      const { request } = call.exchange;
      await requireAction(request, identity, "access_chat_session");
      await request.charge("list");
      const { around, cursor, limit } = args;
      const session = await ownSession(call, args.session_id);
      const { sessionId, tree } = session;
      const path = pathTo(tree, headOf(tree));
      let range: Parameters<typeof messages.history>[3] = { kind: "before", seq: Infinity };
      if (cursor !== undefined) {
        range = { kind: "before", seq: decodeCursor(cursor, isBefore).before };
      } else if (around !== undefined) {
        const seq = isId(around) ? await messages.seqOf(sessionId, around) : null;
        if (seq === null || !holds(path, seq)) {
          throw new Problem("message_not_found", { messageId: around });
        }
        range = { kind: "around", seq };
      }
      const found = await messages.history(session, path, {}, range, limit);
      const [oldest] = found.messages;
      const isMore =
        range.kind === "around"
          ? oldest !== undefined && oldest.seq > (path[0]?.first ?? Infinity)
          : found.hasMore;
      const before = range.kind === "around" ? oldest?.seq : found.last;
      return page<Result<"read_session">>({
        session_id: sessionId,
        title: session.title,
        agent_id: session.agentId,
        status: session.status,
        messages: found.messages
          .filter(({ role }) => role !== "system")
          .map((message) => ({
            message_id: message.messageId,
            role: message.role,
            agent_id: message.agentId,
            status: message.status,
            text: cutText(message.content, maxListedLength),
            length: message.content.length,
            timestamp: message.createdAt.toISOString(),
          })),
        next_cursor: isMore && typeof before === "number" ? encodeCursor({ before }) : null,
      });
    },
  } satisfies { readonly [N in ToolName]: (call: Call, args: Args<N>) => Promise<unknown> };

  return {
    /** Whatever is wrong is told as a result, with what one can do about it: only then the model hears of it. */
    async call(
      name: ToolName,
      call: Call,
      given: unknown,
    ): Promise<CallToolResult | InputRequiredResult> {
      const { request } = call.exchange;
      try {
        const args = checks[name](given ?? {});
        const asked = asks.has(name) ? askedBefore(call.context) : null;
        if (asked !== null) return await decideAsked(call, asked);
        return await (run[name] as RunTool)(call, args);
      } catch (error) {
        if (call.exchange.signal.aborted) throw error;
        if (!(error instanceof Problem)) {
          request.log.error({ err: error, tool: name }, "a tool failed");
        } else if (error.status >= 500 && !error.isOutage) {
          request.log.warn({ err: error.cause ?? error, tool: name }, "a tool was refused");
        }
        const problem =
          error instanceof Problem ? error : new Problem("internal_error", {}, { cause: error });
        return toolError(problem, request.language);
      }
    },
  };
}

/** Tells the client of progress, if it wants to know: without a text, that it still goes on. */
function progressOf({ mcpReq }: ServerContext): (message: string | undefined) => Promise<void> {
  const { _meta: meta } = mcpReq;
  const progressToken = meta?.progressToken;
  let progress = 0;
  return async (message) => {
    if (progressToken === undefined) return;
    progress += 1;
    await mcpReq.notify({
      method: "notifications/progress",
      params: { progressToken, progress, ...(message !== undefined && { message }) },
    });
  };
}

function toText(text: string) {
  return { type: "text" as const, text };
}

function isAgent(value: unknown): value is { readonly agentId: string } {
  return typeof (value as { agentId?: unknown } | null)?.agentId === "string";
}

function isBefore(value: unknown): value is { readonly before: number } {
  return isRowNumber((value as { before?: unknown } | null)?.before);
}
