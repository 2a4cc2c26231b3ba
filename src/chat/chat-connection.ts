import type { Socket } from "node:net";
import type { WebSocket } from "@fastify/websocket";
import { setTimeout as delay } from "node:timers/promises";
import type { Rate, RateLimiter } from "../cache/rate-limiter.ts";
import type { RequestAudit } from "../http/audit.ts";
import { callerUser, limitedUser, mayAccess, noteForeign, type Caller } from "../http/caller.ts";
import { checkJson, checkRest } from "../http/json-size.ts";
import { tokenCredentials } from "../identity/credentials.ts";
import type { Credentials, Identity } from "../identity/identity.ts";
import { isId, newId } from "../lib/ids.ts";
import type { Shares } from "../lib/shares.ts";
import type { Language } from "../problems/catalogue.ts";
import { mustBeOneOf, Problem } from "../problems/problem.ts";
import type { FollowReply } from "../replies/reading/follow-reply.ts";
import type { ReplyState } from "../replies/reply.ts";
import type { ShownEvent } from "../replies/reading/sse.ts";
import { onStream, send } from "../replies/reading/websocket.ts";
import type { SessionStore } from "../sessions/session-store.ts";
import { dismiss } from "./dismiss.ts";
import { FollowedReplies } from "./followed-replies.ts";
import { Inbox } from "./inbox.ts";
import { LargeMessages } from "./large-messages.ts";
import { maxMessageBytes, type EditBody, type MessageBody } from "./message-body.ts";
import {
  spokenMessageTypes,
  type OpenSpokenConversation,
  type SpokenConversation,
  type SpokenMessage,
} from "./spoken-conversation.ts";
import { answerOf, isSpoken, socketRequestTypes, type AskedConnection } from "./socket-requests.ts";
import { toTurn, type Origin } from "./to-turn.ts";
import type { Commands, SentMessage } from "./commands.ts";

export interface ChatConnectionOptions {
  readonly commands: Commands;
  readonly follow: FollowReply;
  readonly sessions: Pick<SessionStore, "find">;
  /** What happens to a user's sessions after a number; null: from now on. */
  readonly followSessions: (
    userId: string,
    after: number | null,
    signal: AbortSignal,
  ) => AsyncIterable<readonly ShownEvent[]>;
  readonly openConversation: OpenSpokenConversation;
  /** Raises `validation_failed`. Compiled once for all connections. */
  readonly checkMessage: (body: unknown) => MessageBody;
  /** Likewise. */
  readonly checkEdit: (body: unknown) => EditBody & { message_id: string };
  readonly maxUploadBytes: number;
  /** Of a message without its files. */
  readonly maxBodyBytes: number;
  /** Of the messages of a user on this node. */
  readonly pace: RateLimiter;
  /** For large messages, and for the bodies of requests. */
  readonly room: Shares;
  /** Bytes a minute and user, by whatever door they come; 0: no limit. */
  readonly uploadRate: number;
}

interface Opening {
  readonly connection: Socket;
  readonly requestId: string;
  readonly traceparent: string | undefined;
  readonly language: Language;
  readonly sessionId: string | undefined;
  readonly userId: string | undefined;
  readonly log: { error(fields: object, message: string): void };
  /** Of one message: a socket may be open for days. */
  readonly auditOf: (identity: Identity | null) => RequestAudit;
}

/** A client that sends and does not read what it is told is cut off beyond this. */
const maxUnreadBytes = 4 * 1024 * 1024;
/** Of one user on this node, of whatever kind; beyond it they wait. */
const messageRate = { limit: 1_200, periodMs: 60_000, burst: 200 };

/**
 * One client's socket: its messages and its sound in, the events of its replies out. Messages are handled one after the
 * other; a `ping` and sound wait for nothing, and what belongs to sound not for the other messages.
 */
export class ChatConnection {
  readonly #socket: WebSocket;
  readonly #opening: Opening;
  readonly #options: ChatConnectionOptions;
  readonly #followed: FollowedReplies;
  readonly #conversation: SpokenConversation;
  readonly #inbox: Inbox;
  readonly #asked: AskedConnection;
  #large: LargeMessages | null = null;
  readonly #closed = new AbortController();
  #caller: Caller | null = null;
  #authenticate: ((credentials: Credentials) => Promise<Identity | null>) | null = null;
  #isRefused = false;
  #subscription: AbortController | null = null;
  readonly #ownShare = newId();

  constructor(socket: WebSocket, opening: Opening, options: ChatConnectionOptions) {
    this.#socket = socket;
    this.#opening = opening;
    this.#options = options;
    this.#conversation = options.openConversation({
      language: opening.language,
      sessionId: opening.sessionId ?? null,
      send: (message) => this.#post(message),
      tell: (error, fields) => this.#tell(error, fields),
      authorize: () => this.#authorized(),
      check: async (body) => {
        const caller = await this.#authorized();
        const message = this.#options.checkMessage({ ...this.#address(), ...body, message: "." });
        this.#toTurn(caller, message);
        if (message.session_id) await this.#ownerOf(caller, message.session_id);
      },
      say: async (message) => this.#say(await this.#authorized(), message),
    });
    this.#followed = new FollowedReplies(socket, {
      follow: options.follow,
      conversation: this.#conversation,
      tell: (error) => this.#tell(error),
    });
    this.#inbox = new Inbox(socket, (error) => this.#tell(error));
    this.#asked = {
      commands: options.commands,
      followed: this.#followed,
      checkMessage: options.checkMessage,
      checkEdit: options.checkEdit,
      userId: opening.userId,
      authorized: () => this.#authorized(),
      address: () => this.#address(),
      origin: (caller) => this.#origin(caller),
      begin: (sent, body) => this.#begin(sent, body),
      subscribe: (userId, after) => this.#subscribe(userId, after),
      post: (message) => this.#post(message),
    };
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      this.#receive(data, isBinary);
      this.#large?.ended();
    });
    socket.once("close", () => {
      this.#closed.abort();
      this.#followed.close();
      this.#conversation.close();
    });
  }

  /** The caller is being established from the handshake; until then nothing more is read. */
  identify(identify: () => Promise<Identity | null>): void {
    this.#socket.pause();
    this.#inbox.add("messages", 0, () => this.#establish(identify()));
  }

  /** The first message must bring a token. */
  awaitToken(authenticate: (credentials: Credentials) => Promise<Identity | null>): void {
    this.#authenticate = authenticate;
  }

  /** Tells the client why, and that it has to leave. */
  refuse(error: unknown): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    this.#tell(error);
    const problem = problemOf(error);
    dismiss(this.#socket, 4000 + problem.status, problem.type);
  }

  /** Checks the session, and says that everything else may come. */
  async #establish(identified: Promise<Identity | null>): Promise<void> {
    try {
      const { sessionId, userId, auditOf } = this.#opening;
      const identity = await identified;
      const caller: Caller = {
        identity,
        get audit() {
          return auditOf(identity);
        },
      };
      if (identity !== null) await noteForeign(caller, callerUser(caller, userId));
      let owner = caller.identity?.userId ?? userId ?? null;
      if (sessionId !== undefined) owner = await this.#ownerOf(caller, sessionId);
      this.#caller = caller;
      this.#large = new LargeMessages({
        socket: this.#socket,
        connection: this.#opening.connection,
        room: this.#options.room,
        owner: this.#whose(caller),
        maxBytes: maxMessageBytes(this.#options.maxBodyBytes, this.#options.maxUploadBytes),
        onRefused: () => this.refuse(new Problem("rate_limited", { seconds: 1 })),
      });
      this.#post({
        type: "connection_established",
        session_id: sessionId ?? null,
        user_id: owner,
      });
    } catch (error) {
      this.refuse(error);
    }
  }

  #receive(data: Buffer, isBinary: boolean): void {
    // One that is gone hands on all that was not read before.
    if (this.#socket.readyState === this.#socket.CLOSING) return;
    if (this.#isRefused) return;
    if (isBinary && this.#caller !== null) return this.#hear(data);
    const message = isBinary ? noMessage() : parse(data, this.#options.maxBodyBytes);
    const type = message instanceof Problem ? undefined : message["type"];
    if (type === "ping" && this.#caller !== null) return this.#post({ type: "pong" });
    // Who is not known yet says one thing, and waits for the answer.
    if (this.#caller === null) this.#socket.pause();
    const isApart = this.#caller !== null && isSpeech(type);
    const giveBack = this.#large?.keep();
    this.#inbox.add(isApart ? "speech" : "messages", data.length, async () => {
      try {
        if (this.#isRefused) return;
        if (this.#caller === null) return await this.#signIn(message);
        // The text of an ended reply is shown whole, twice.
        const count = type === "resume" ? 5 : 1;
        if (!(await this.#isInTime(this.#caller, count, data.length))) return;
        if (message instanceof Problem) throw message;
        await this.#handle(this.#caller, message);
      } finally {
        giveBack?.();
      }
    });
  }

  #hear(sound: Buffer): void {
    try {
      this.#conversation.sound(sound);
    } catch (error) {
      this.#tell(error);
    }
  }

  /** Whose share it is. Without identities, names prove nothing: then each socket has its own. */
  #whose({ identity }: Caller): string {
    const user = limitedUser(identity);
    return user === null ? this.#ownShare : `user ${user}`;
  }

  /** Waits until the user may send one more of this size; false when the socket is gone before. */
  async #isInTime(caller: Caller, count: number, bytes: number): Promise<boolean> {
    const whose = this.#whose(caller);
    const { uploadRate } = this.#options;
    if (!(await this.#take(whose, messageRate, count))) return false;
    if (uploadRate === 0) return true;
    const rate = { limit: Math.ceil(uploadRate / 1024), periodMs: 60_000 };
    return this.#take(`bytes:${whose}`, rate, Math.max(1, Math.ceil(bytes / 1024)));
  }

  async #take(key: string, rate: Rate, count: number): Promise<boolean> {
    for (;;) {
      const { allowed, retryAfterMs } = await this.#options.pace.take(key, rate, count);
      if (allowed) return true;
      try {
        await delay(retryAfterMs, undefined, { signal: this.#closed.signal });
      } catch {
        return false; // the only thing that ends the wait is the socket's end
      }
    }
  }

  async #handle(caller: Caller, message: Record<string, unknown>): Promise<void> {
    const { user_id: named } = message;
    if (typeof named === "string") await noteForeign(caller, callerUser(caller, named));
    const { type = "chat" } = message;
    // Where nobody is asked who he is, a token is not looked at: as over HTTP.
    if (type === "auth" && caller.identity === null) return;
    if (isSpeech(type)) return this.#conversation.receive(message);
    const answer = answerOf(type);
    if (answer === undefined) {
      const details = [
        { path: "/type", ...mustBeOneOf([...socketRequestTypes, ...spokenMessageTypes]) },
      ];
      throw new Problem("validation_failed", {}, { details });
    }
    await answer(this.#asked, caller, message);
  }

  async #signIn(message: Record<string, unknown> | Problem): Promise<void> {
    const isToken = !(message instanceof Problem) && message["type"] === "auth";
    if (this.#authenticate === null || !isToken) {
      return this.refuse(new Problem("unauthorized", { reason: "missing" }));
    }
    await this.#establish(this.#authenticate(tokenCredentials(message["token"])));
  }

  /** Stores a message that was spoken on this connection and shows its reply. */
  async #say(caller: Caller, { body: given, audio }: SpokenMessage): Promise<ReplyState> {
    const body = this.#options.checkMessage({
      ...this.#address(),
      ...given,
      message_type: "voice",
    });
    this.#followed.admit();
    const turn = this.#toTurn(caller, body);
    const sent = await this.#options.commands.send({
      ...turn,
      message: { ...turn.message, audio },
      turn: { ...turn.turn, processedMessage: body.message },
    });
    this.#begin(sent, body);
    const state = await this.#options.commands.state(caller, this.#named(sent.replyId));
    // By now it may answer a later message too.
    return { ...state, ...(sent.made && { userMessageId: sent.made.userMessageId }) };
  }

  /** Where messages go to that do not say so. */
  #address(): { session_id?: string; user_id?: string } {
    const { sessionId, userId } = this.#opening;
    if (sessionId !== undefined) return { session_id: sessionId };
    return userId === undefined ? {} : { user_id: userId };
  }

  #toTurn(caller: Caller, body: MessageBody) {
    return toTurn(body, this.#origin(caller));
  }

  #origin(caller: Caller): Origin {
    const { language, traceparent, requestId } = this.#opening;
    const { maxUploadBytes } = this.#options;
    return { caller, requestId, traceparent, language, idempotency: null, maxUploadBytes };
  }

  /** The caller, who may send messages. */
  async #authorized(): Promise<Caller> {
    if (this.#caller === null) throw new Problem("unauthorized", { reason: "missing" });
    await this.#options.commands.authorize(this.#caller);
    return this.#caller;
  }

  /** Shows the reply to a message that was sent just now. */
  #begin(
    { replyId, waiting, after = 0 }: SentMessage,
    { voice_config: voice }: Pick<MessageBody, "voice_config">,
  ): void {
    const shown = { isSpoken: isSpoken(voice), isResumed: false };
    // Both, side by side: which of them answers is not known yet.
    if (waiting !== undefined) this.#followed.show({ ...shown, replyId: waiting, after: 0 });
    // The message is, or may become, part of what is shown here already, and its events come with that.
    const mayBeShown = after > 0 || waiting !== undefined;
    if (mayBeShown && this.#followed.isShown(replyId)) return;
    this.#followed.show({ ...shown, replyId, after });
  }

  /** Shows what happens to the user's sessions, in place of what was shown of them before. */
  #subscribe(userId: string, after: number | null): void {
    this.#subscription?.abort();
    const subscription = new AbortController();
    this.#subscription = subscription;
    const signal = AbortSignal.any([subscription.signal, this.#closed.signal]);
    const show = async () => {
      for await (const events of this.#options.followSessions(userId, after, signal)) {
        for (const event of signal.aborted ? [] : events) {
          await send(this.#socket, onStream("sessions", event));
        }
      }
    };
    show().catch((error: unknown) => {
      // A socket that is gone needs no telling; the client subscribes on another.
      if (!signal.aborted) this.#tell(error);
    });
  }

  /** The session's owner. Raises `session_not_found` when it does not exist for the caller. */
  async #ownerOf(caller: Caller, sessionId: string): Promise<string> {
    const session = isId(sessionId) ? await this.#options.sessions.find(sessionId) : null;
    if (session === null || !(await mayAccess(caller, session.userId, this.#opening.userId))) {
      throw new Problem("session_not_found", { sessionId });
    }
    return session.userId;
  }

  #named(messageId: string) {
    return { messageId, userId: this.#opening.userId };
  }

  /** Sends a message; what cannot be sent any more is dropped. */
  #post(message: object): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > maxUnreadBytes) return this.#socket.terminate();
    const text = JSON.stringify({ ...message, timestamp: new Date().toISOString() });
    send(this.#socket, text).catch(() => this.#socket.terminate());
  }

  #tell(error: unknown, fields: object = {}): void {
    if (!(error instanceof Problem)) {
      this.#opening.log.error({ err: error }, "a message of a WebSocket could not be handled");
    }
    const problem = problemOf(error);
    this.#post({
      type: "error",
      error: problem.text(this.#opening.language),
      code: problem.status,
      error_type: problem.type,
      ...(problem.details !== undefined && { details: problem.faults(this.#opening.language) }),
      request_id: this.#opening.requestId,
      ...fields,
    });
  }
}

function problemOf(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem("internal_error", {});
}

function isSpeech(type: unknown): boolean {
  return spokenMessageTypes.some((each) => each === type);
}

/** A message, or what is wrong with it. */
function parse(data: Buffer, maxBytes: number): Record<string, unknown> | Problem {
  try {
    checkJson(data, maxBytes);
    const value: unknown = JSON.parse(data.toString("utf8"));
    if (typeof value !== "object" || value === null || Array.isArray(value)) return noMessage();
    checkRest(value, data.length, maxBytes);
    return value as Record<string, unknown>;
  } catch (error) {
    return error instanceof Problem ? error : noMessage();
  }
}

function noMessage(): Problem {
  return new Problem("bad_request", {
    en: 'Send JSON objects with a "type", as text.',
    zh: '请以文本发送带有 "type" 的 JSON 对象。',
  });
}
