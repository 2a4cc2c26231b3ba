import type { WebSocket } from "@fastify/websocket";
import { Type } from "typebox";
import { callerUser, mayAccess, type Caller } from "../http/caller.ts";
import { createBodyCheck } from "../http/validation.ts";
import { tokenCredentials } from "../identity/credentials.ts";
import type { Credentials, Identity, IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import type { Language } from "../problems/catalogue.ts";
import { Problem } from "../problems/problem.ts";
import type { FollowReply } from "../replies/reading/follow-reply.ts";
import type { ReplyState } from "../replies/lifecycle/reply-store.ts";
import { send } from "../replies/reading/websocket.ts";
import type { SessionStore } from "../sessions/session-store.ts";
import { decisionsBody } from "./decisions-body.ts";
import { FollowedReplies } from "./followed-replies.ts";
import type { MessageBody } from "./message-body.ts";
import {
  spokenMessageTypes,
  type OpenSpokenConversation,
  type SpokenConversation,
  type SpokenMessage,
} from "./spoken-conversation.ts";
import { toTurn } from "./to-turn.ts";
import type { Commands, SentMessage } from "./commands.ts";

export interface ChatConnectionOptions {
  readonly identity: IdentityProvider;
  readonly commands: Commands;
  readonly follow: FollowReply;
  readonly sessions: Pick<SessionStore, "find">;
  readonly openConversation: OpenSpokenConversation;
  /** Raises `validation_failed`. Compiled once for all connections. */
  readonly checkMessage: (body: unknown) => MessageBody;
  readonly maxUploadBytes: number;
}

interface Opening {
  readonly requestId: string;
  readonly traceparent: string | undefined;
  readonly language: Language;
  readonly sessionId: string | undefined;
  readonly userId: string | undefined;
  readonly log: { error(fields: object, message: string): void };
}

const checkReference = createBodyCheck(
  Type.Object({
    message_id: Type.String({ maxLength: 64 }),
    after: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
);

const checkContinuation = createBodyCheck(
  Type.Object({ message_id: Type.String({ maxLength: 64 }), ...decisionsBody.properties }),
);

/** A client that sends and does not read what it is told is cut off beyond this. */
const maxUnreadBytes = 4 * 1024 * 1024;

/**
 * One client's socket: its messages and its sound in, the events of its replies out. A `ping` is answered while a reply
 * runs.
 */
export class ChatConnection {
  readonly #socket: WebSocket;
  readonly #opening: Opening;
  readonly #options: ChatConnectionOptions;
  readonly #followed: FollowedReplies;
  readonly #conversation: SpokenConversation;
  #caller: Caller | null = null;
  #authenticate: ((credentials: Credentials) => Promise<Identity | null>) | null = null;

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
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      this.#receive(data, isBinary).catch((error: unknown) => this.#tell(error));
    });
    socket.once("close", () => {
      this.#followed.close();
      this.#conversation.close();
    });
  }

  /** The caller is known: checks the session and says that everything else may come. */
  async establish(identity: Identity | null): Promise<void> {
    const caller = { identity };
    const { sessionId, userId } = this.#opening;
    if (identity !== null) callerUser(caller, userId);
    let owner = identity?.userId ?? userId ?? null;
    if (sessionId !== undefined) owner = await this.#ownerOf(caller, sessionId);
    this.#caller = caller;
    this.#post({
      type: "connection_established",
      session_id: sessionId ?? null,
      user_id: owner,
    });
  }

  /** The first message must bring a token. */
  awaitToken(authenticate: (credentials: Credentials) => Promise<Identity | null>): void {
    this.#authenticate = authenticate;
  }

  /** Nobody has said in time who is calling, or they would no longer be let in. */
  refuse(reason: "missing" | "expired"): void {
    this.#refuse(new Problem("unauthorized", { reason }));
  }

  #refuse(problem: Problem): void {
    this.#tell(problem);
    this.#socket.close(4000 + problem.status, problem.type);
  }

  async #receive(data: Buffer, isBinary: boolean): Promise<void> {
    if (isBinary && this.#caller !== null) {
      this.#conversation.sound(data);
      return;
    }
    const message = isBinary ? null : parse(data.toString("utf8"));
    if (message === null) {
      throw new Problem("bad_request", {
        en: 'Send JSON objects with a "type", as text.',
        zh: '请以文本发送带有 "type" 的 JSON 对象。',
      });
    }
    if (this.#caller === null) {
      await this.#signIn(message);
      return;
    }
    switch (message["type"]) {
      case "ping":
        this.#post({ type: "pong" });
        return;
      case "chat":
      case undefined:
        await this.#chat(this.#caller, message);
        return;
      case "resume": {
        const { message_id: messageId, after = 0 } = checkReference(message);
        const state = await this.#options.commands.state(this.#caller, this.#named(messageId));
        const { replyId, turn } = state;
        const spoken = isSpoken(turn?.voice);
        this.#followed.show({ replyId, after, isSpoken: spoken, isResumed: true });
        return;
      }
      case "cancel": {
        const { message_id: messageId } = checkReference(message);
        await this.#options.commands.cancel(await this.#authorized(), this.#named(messageId));
        return;
      }
      case "continue": {
        const { message_id: messageId, decisions } = checkContinuation(message);
        const caller = await this.#authorized();
        this.#followed.admit();
        const { commands } = this.#options;
        const { replyId, after } = await commands.continue(
          caller,
          this.#named(messageId),
          decisions,
        );
        this.#followed.show({ replyId, after, isSpoken: false, isResumed: true });
        return;
      }
      default: {
        if (spokenMessageTypes.some((type) => type === message["type"])) {
          return this.#conversation.receive(message);
        }
        const types = ["chat", "cancel", "continue", "resume", "ping", ...spokenMessageTypes].join(
          ", ",
        );
        const details = [{ path: "/type", message: `must be one of ${types}` }];
        throw new Problem("validation_failed", {}, { details });
      }
    }
  }

  async #signIn(message: Record<string, unknown>): Promise<void> {
    if (this.#authenticate === null) {
      // The caller is being established from the handshake; a hasty first message waits its turn.
      throw new Problem("bad_request", {
        en: "Wait for connection_established before sending.",
        zh: "请等待 connection_established 后再发送。",
      });
    }
    try {
      if (message["type"] !== "auth") throw new Problem("unauthorized", { reason: "missing" });
      const authenticate = this.#authenticate;
      await this.establish(await authenticate(tokenCredentials(message["token"])));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#refuse(error);
    }
  }

  async #chat(caller: Caller, { type: _type, ...given }: Record<string, unknown>): Promise<void> {
    const body = this.#options.checkMessage({ ...this.#address(), ...given });
    await this.#authorized();
    this.#followed.admit();
    const sent = await this.#options.commands.send(this.#toTurn(caller, body));
    this.#begin(sent, body);
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
    return this.#options.commands.state(caller, this.#named(sent.replyId));
  }

  /** Where messages go to that do not say so. */
  #address(): { session_id?: string; user_id?: string } {
    const { sessionId, userId } = this.#opening;
    if (sessionId !== undefined) return { session_id: sessionId };
    return userId === undefined ? {} : { user_id: userId };
  }

  #toTurn(caller: Caller, body: MessageBody) {
    const { language, traceparent, requestId } = this.#opening;
    const { maxUploadBytes } = this.#options;
    const origin = { caller, requestId, traceparent, language, idempotency: null, maxUploadBytes };
    return toTurn(body, origin);
  }

  /** The caller, who may send messages. */
  async #authorized(): Promise<Caller> {
    if (this.#caller === null) throw new Problem("unauthorized", { reason: "missing" });
    await this.#options.commands.authorize(this.#caller);
    return this.#caller;
  }

  /** Shows the reply to a message that was sent just now. */
  #begin({ replyId }: SentMessage, { voice_config: voice }: MessageBody): void {
    this.#followed.show({ replyId, after: 0, isSpoken: isSpoken(voice), isResumed: false });
  }

  /** The session's owner. Raises `session_not_found` when it does not exist for the caller. */
  async #ownerOf(caller: Caller, sessionId: string): Promise<string> {
    const session = isId(sessionId) ? await this.#options.sessions.find(sessionId) : null;
    if (session === null || !mayAccess(caller, session.userId, this.#opening.userId)) {
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
    const problem = error instanceof Problem ? error : new Problem("internal_error", {});
    this.#post({
      type: "error",
      error: problem.text(this.#opening.language),
      code: problem.status,
      error_type: problem.type,
      ...(problem.details !== undefined && { details: problem.details }),
      request_id: this.#opening.requestId,
      ...fields,
    });
  }
}

/** Whether a reply is spoken while it is being written. */
function isSpoken(voice: MessageBody["voice_config"]): boolean {
  return voice?.enable_tts === true && voice.stream_audio === true;
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null; // told to the client as what it is: not JSON
  }
}
