export type * from "./api-types.ts";
export { createChatClient, type ChatClient } from "./client.ts";
export { ApiError, ConnectionError, ReplyError } from "./errors.ts";
export { encodeFile, type EncodedFile } from "./files.ts";
export type {
  Again,
  Amendment,
  Decision,
  Edit,
  NewMessage,
  Requirement,
  SendOptions,
} from "./messages.ts";
export {
  Reply,
  type Accepted as AcceptedReply,
  type NumberedReplyEvent,
  type StreamOptions,
} from "./reply.ts";
export { isLast, textAfter } from "./reply-cursor.ts";
export type { Pause } from "./retry.ts";
export type { NumberedSessionEvent } from "./sessions.ts";
export type { Talk, TalkEvent, TalkOptions } from "./talk.ts";
export type { Call, CallOptions, ClientOptions } from "./transport.ts";
export type { Recording } from "./voice.ts";
export { applyEvent, type ToolCall } from "./apply-event.ts";
