import { Type } from "typebox";
import { callerUser, type Caller } from "../http/caller.ts";
import { createBodyCheck } from "../http/validation.ts";
import type { Commands, SentMessage } from "./commands.ts";
import { decisionsBody } from "./decisions-body.ts";
import type { FollowedReplies } from "./followed-replies.ts";
import { regenerateBody, type EditBody, type MessageBody } from "./message-body.ts";
import { editOf, settingsOfTurn, toTurn, turnAt, type Origin } from "./to-turn.ts";
const checkReference = createBodyCheck(
  Type.Object({
    type: Type.String(),
    message_id: Type.String({ maxLength: 64 }),
    after: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
);

const checkSubscription = createBodyCheck(
  Type.Object({
    type: Type.String(),
    user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128, pattern: "\\S" })),
    after: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
);

const checkRegeneration = createBodyCheck(
  Type.Object({ message_id: Type.String({ maxLength: 64 }), ...regenerateBody.properties }),
);

const checkContinuation = createBodyCheck(
  Type.Object({
    type: Type.String(),
    message_id: Type.String({ maxLength: 64 }),
    ...decisionsBody.properties,
  }),
);

/** The connection on which something is asked. */
export interface AskedConnection {
  readonly commands: Commands;
  readonly followed: Pick<FollowedReplies, "admit" | "show">;
  /** Raises `validation_failed`. */
  readonly checkMessage: (body: unknown) => MessageBody;
  /** Likewise. */
  readonly checkEdit: (body: unknown) => EditBody & { message_id: string };
  /** Whose sessions are meant where a message does not say so. */
  readonly userId: string | undefined;
  /** The caller, if he may send messages. Raises `forbidden`. */
  authorized(): Promise<Caller>;
  /** Where messages go to that do not say so. */
  address(): { readonly session_id?: string; readonly user_id?: string };
  origin(caller: Caller): Origin;
  /** Shows the reply to a message that was sent just now. */
  begin(sent: SentMessage, body: Pick<MessageBody, "voice_config">): void;
  /** Shows what happens to a user's sessions, in place of what was shown of them before. */
  subscribe(userId: string, after: number | null): void;
  post(message: object): void;
}

/** Raises whatever the asker is to be told. */
type Answer = (
  connection: AskedConnection,
  caller: Caller,
  message: Readonly<Record<string, unknown>>,
) => void | Promise<void>;

const answers: Readonly<Record<string, Answer>> = {
  async chat(connection, caller, { type: _type, ...given }) {
    const body = connection.checkMessage({ ...connection.address(), ...given });
    await connection.authorized();
    connection.followed.admit();
    const sent = await connection.commands.send(toTurn(body, connection.origin(caller)));
    connection.begin(sent, body);
  },

  async regenerate(connection, caller, { type: _type, ...given }) {
    const body = checkRegeneration(given);
    await connection.authorized();
    connection.followed.admit();
    const turn = { ...turnAt(body, connection.origin(caller)), ownSettings: settingsOfTurn(body) };
    const named = namedOn(connection, body.message_id);
    connection.begin(await connection.commands.regenerate(caller, named, turn), body);
  },

  async edit(connection, caller, { type: _type, ...given }) {
    const body = connection.checkEdit(given);
    await connection.authorized();
    connection.followed.admit();
    const origin = connection.origin(caller);
    const named = namedOn(connection, body.message_id);
    const edited = editOf(body, origin);
    const sent = await connection.commands.edit(caller, named, edited, turnAt(body, origin));
    connection.begin(sent, body);
  },

  async cancel(connection, _caller, message) {
    const { message_id: messageId } = checkReference(message);
    const sender = await connection.authorized();
    await connection.commands.cancel(sender, namedOn(connection, messageId));
  },

  async continue(connection, caller, message) {
    const { message_id: messageId, decisions } = checkContinuation(message);
    await connection.authorized();
    connection.followed.admit(messageId);
    const named = namedOn(connection, messageId);
    const { replyId, after } = await connection.commands.continue(caller, named, decisions);
    connection.followed.show({ replyId, after, isSpoken: false, isResumed: true });
  },

  async resume(connection, caller, message) {
    const { message_id: messageId, after = 0 } = checkReference(message);
    const named = namedOn(connection, messageId);
    const { replyId, turn } = await connection.commands.state(caller, named);
    connection.followed.admit(replyId);
    const spoken = isSpoken(turn?.voice);
    connection.followed.show({ replyId, after, isSpoken: spoken, isResumed: true });
  },

  subscribe(connection, caller, message) {
    const { user_id: named, after = null } = checkSubscription(message);
    connection.subscribe(callerUser(caller, named ?? connection.userId), after);
  },

  ping(connection) {
    connection.post({ type: "pong" });
  },
};

/** What can be asked over a socket, by its `type`. */
export const socketRequestTypes: readonly string[] = Object.keys(answers);

/** How a message of this type is answered; undefined: there is none. */
export function answerOf(type: unknown): Answer | undefined {
  return typeof type === "string" && Object.hasOwn(answers, type) ? answers[type] : undefined;
}

/** Whether a reply is spoken while it is being written. */
export function isSpoken(voice: MessageBody["voice_config"]): boolean {
  return voice?.enable_tts === true && voice.stream_audio === true;
}

function namedOn({ userId }: AskedConnection, messageId: string) {
  return { messageId, userId };
}
