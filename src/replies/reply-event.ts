import { Type, type Static, type TSchema } from "typebox";
import { outputMembers } from "./structured-output.ts";

/**
 * The events of a reply as every view shows them (SSE, WebSocket). One schema gives the static type and the
 * OpenAPI document. `type`, `session_id`, `message_id` and `timestamp` are on each of them.
 */
function event<T extends string, P extends Record<string, TSchema>>(
  type: T,
  description: string,
  fields: P,
) {
  return Type.Object(
    {
      type: Type.Literal(type),
      session_id: Type.String({ format: "uuid" }),
      message_id: Type.String({ format: "uuid", description: "The reply this event belongs to." }),
      timestamp: Type.String({ format: "date-time" }),
      ...fields,
    },
    { description, title: type },
  );
}

export const UsageSchema = Type.Object({
  input_tokens: Type.Integer({ minimum: 0 }),
  output_tokens: Type.Integer({ minimum: 0 }),
});

export const ContextSchema = Type.Object(
  {
    messages: Type.Integer({ minimum: 1, description: "Earlier ones and the new one." }),
    estimated_tokens: Type.Integer({ minimum: 0 }),
    dropped: Type.Integer({ minimum: 0, description: "Earlier messages that did not fit." }),
    summarised: Type.Optional(
      Type.Integer({ minimum: 0, description: "Earlier messages that a summary stood for." }),
    ),
  },
  { description: "How much of the conversation the reply's model was sent, where that is known." },
);

export const SourceSchema = Type.Object(
  {
    title: Type.Optional(Type.String({ maxLength: 300 })),
    url: Type.Optional(Type.String({ maxLength: 2_048, description: "`http` or `https`." })),
    excerpt: Type.Optional(
      Type.String({ maxLength: 500, description: "The beginning of what of it was used." }),
    ),
  },
  { description: "A page or document that a reply rests on; one of the members is always there." },
);

export const TaskSchema = Type.Object({
  id: Type.String({ maxLength: 100 }),
  title: Type.String({ maxLength: 300 }),
  status: Type.Union([
    Type.Literal("pending"),
    Type.Literal("in_progress"),
    Type.Literal("completed"),
    Type.Literal("failed"),
    Type.Literal("blocked"),
  ]),
  assignee: Type.Optional(Type.String({ maxLength: 300, description: "A member's id." })),
});

const customMembers = {
  name: Type.String({ maxLength: 300 }),
  data: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), {
      description: "In the author's own form; absent where it is above 8 KiB.",
    }),
  ),
  agent_id: Type.String(),
};

export const SteeredSchema = Type.Object({
  message_id: Type.String({ format: "uuid", description: "Of the user's message." }),
  text_start: Type.Integer({
    minimum: 0,
    description: "Where it came in the reply's text, in UTF-16 units.",
  }),
});

/** What belongs to a reply's text: of messages and of snapshots. */
export const extrasMembers = {
  steered: Type.Optional(
    Type.Array(SteeredSchema, {
      description: "Messages of the user that the reply has taken in while it was made.",
    }),
  ),
  sources: Type.Optional(Type.Array(SourceSchema)),
  suggestions: Type.Optional(
    Type.Array(Type.String(), { description: "What the user might say next." }),
  ),
  tasks: Type.Optional(
    Type.Array(TaskSchema, { description: "What the agent has set itself to do." }),
  ),
  custom_events: Type.Optional(
    Type.Array(Type.Object(customMembers), { description: "As the events `agent_custom`." }),
  ),
  model: Type.Optional(
    Type.String({ description: "The model that has written it, where its source says so." }),
  ),
};

export const RequirementSchema = Type.Object({
  id: Type.String(),
  kind: Type.Union([Type.Literal("confirm"), Type.Literal("input"), Type.Literal("external")]),
  tool: Type.String(),
  arguments: Type.Record(Type.String(), Type.Unknown()),
});

export const AudioResponseSchema = Type.Object({
  audio_id: Type.String({ format: "uuid" }),
  url: Type.String({ description: "Path of the bytes, as GET /chat/audio/{audio_id}." }),
  format: Type.String({ examples: ["wav", "mp3"] }),
  encoding: Type.Literal("base64"),
  data: Type.Optional(Type.String({ description: "The bytes, where they are small enough." })),
  duration_ms: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
});

export const replyEventSchemas = {
  user_message: event(
    "user_message",
    "Always first, with id 1: the turn was accepted and stored. Again for each message that becomes part of it while it waits.",
    {
      message: Type.String({ description: "For voice: the transcript." }),
      user_message_id: Type.String({ format: "uuid" }),
      reply_message_id: Type.String({ format: "uuid" }),
      processed_message: Type.Optional(Type.String()),
    },
  ),
  queued: event(
    "queued",
    "An earlier message comes first. Told anew when what it waits for, or its place, has changed.",
    {
      position: Type.Integer({ minimum: 1 }),
      reason: Type.Optional(
        Type.Union([Type.Literal("running"), Type.Literal("decision")], {
          description:
            "`decision`: nothing goes on before a person has decided about `requirements` of the reply `waits_for`. " +
            "Absent: nothing is in front any more, it begins where there is room.",
        }),
      ),
      waits_for: Type.Optional(
        Type.String({ format: "uuid", description: "The reply in front, as it was then." }),
      ),
      requirements: Type.Optional(Type.Array(RequirementSchema)),
      joins: Type.Optional(
        Type.Array(Type.String({ format: "uuid" }), {
          description:
            "Messages of the user that are answered together with the one before this event, by one reply (`on_busy: merge`).",
        }),
      ),
    },
  ),
  assistant_chunk: event("assistant_chunk", "Text as the agent produces it.", {
    chunk: Type.String(),
    finished: Type.Boolean({ description: "True on the last one, whose chunk may be empty." }),
    agent_id: Type.String(),
  }),
  reasoning_chunk: event("reasoning_chunk", "Thinking; not part of the answer.", {
    chunk: Type.String(),
    agent_id: Type.String(),
  }),
  tool_call: event("tool_call", "A tool at work.", {
    tool_call_id: Type.String(),
    name: Type.String(),
    status: Type.Union([
      Type.Literal("started"),
      Type.Literal("completed"),
      Type.Literal("failed"),
    ]),
    arguments: Type.Optional(Type.Unknown()),
    result: Type.Optional(Type.Unknown({ description: "Cut at 4 KiB." })),
    agent_id: Type.String(),
  }),
  agent_event: event("agent_event", "Who is at work in a team or workflow.", {
    event: Type.Union([
      Type.Literal("member_started"),
      Type.Literal("member_completed"),
      Type.Literal("member_failed"),
      Type.Literal("step_started"),
      Type.Literal("step_completed"),
      Type.Literal("step_failed"),
      Type.Literal("step_progress"),
      Type.Literal("handoff"),
      Type.Literal("branch_taken"),
      Type.Literal("iteration_started"),
      Type.Literal("memory_updated"),
      Type.Literal("context_compacted"),
    ]),
    agent_id: Type.String(),
    name: Type.String(),
    parent_agent_id: Type.Optional(Type.String()),
    detail: Type.Optional(
      Type.String({
        description:
          "What a member or step produced, how far a step is, what is remembered; cut at 4 KiB.",
      }),
    ),
    branches: Type.Optional(
      Type.Array(Type.String(), {
        description: "Of `branch_taken`: the steps that come next; of a condition `if` or `else`.",
      }),
    ),
    iteration: Type.Optional(
      Type.Integer({ minimum: 1, description: "Of `iteration_started`: which one." }),
    ),
    max_iterations: Type.Optional(Type.Integer({ minimum: 1 })),
    messages: Type.Optional(
      Type.Integer({ minimum: 0, description: "Of `context_compacted`: how many were." }),
    ),
  }),
  media: event("media", "An image, sound or file that the agent produced, by reference.", {
    kind: Type.String({ examples: ["image", "audio", "video", "file"] }),
    url: Type.Optional(
      Type.String({
        description:
          "Of what is kept here the path below this service; absent where it is not (`left_out`).",
      }),
    ),
    name: Type.Optional(Type.String()),
    attachment_id: Type.Optional(
      Type.String({ description: "Given where the file is kept here, as attachments are." }),
    ),
    media_type: Type.Optional(Type.String()),
    size: Type.Optional(Type.Integer({ minimum: 0, description: "Bytes." })),
    left_out: Type.Optional(
      Type.Union([Type.Literal("no_space"), Type.Literal("not_stored")], {
        description:
          "The file is lost: its user has no room for it (`limits`), or it could not be stored.",
      }),
    ),
    agent_id: Type.String(),
  }),
  sources: event(
    "sources",
    "What the reply rests on, such as pages that were searched and documents of a knowledge base: those that are new.",
    { sources: Type.Array(SourceSchema), agent_id: Type.String() },
  ),
  suggestions: event(
    "suggestions",
    "What the user might say next, in place of what was suggested before.",
    { suggestions: Type.Array(Type.String({ maxLength: 300 }), { maxItems: 10 }) },
  ),
  tasks: event(
    "tasks",
    "What the agent has set itself to do, all of it, in place of what was told before.",
    { tasks: Type.Array(TaskSchema, { maxItems: 50 }), agent_id: Type.String() },
  ),
  agent_custom: event(
    "agent_custom",
    "What the agent's author wants clients to know; equal ones are told once, 100 of a message.",
    customMembers,
  ),
  audio_chunk: event(
    "audio_chunk",
    "Speech for one sentence, while the rest is still being written.",
    {
      sequence: Type.Integer({ minimum: 1 }),
      format: Type.String(),
      sample_rate: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
        description: "In Hz; of `pcm` always told.",
      }),
      data: Type.String({ description: "Base64." }),
      text: Type.String(),
      start_ms: Type.Integer({ minimum: 0, description: "Where it stands in the reply's speech." }),
      duration_ms: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
      text_start: Type.Integer({
        minimum: 0,
        description: "The part of the reply's text that it stands for, in UTF-16 units.",
      }),
      text_end: Type.Integer({ minimum: 0 }),
    },
  ),
  audio_response: event("audio_response", "The whole reply as speech.", {
    audio: AudioResponseSchema,
  }),
  steered: event(
    "steered",
    "The reply has taken in a message that was sent with `on_busy: steer`, or that was the answer to what it had asked; what follows knows of it.",
    {
      user_message_id: Type.String({ format: "uuid" }),
      message: Type.String(),
      text_start: SteeredSchema.properties.text_start,
    },
  ),
  paused: event(
    "paused",
    "A person must decide; POST /chat/message/{message_id}/continue goes on.",
    {
      requirements: Type.Array(RequirementSchema),
      error: Type.Optional(
        Type.String({ description: "Why decisions that were sent before were not taken." }),
      ),
      code: Type.Optional(Type.Integer()),
      error_type: Type.Optional(Type.String()),
    },
  ),
  replaced: event(
    "replaced",
    "The agent has taken back its text so far: this stands in its place, and chunks go on behind it.",
    { content: Type.String() },
  ),
  snapshot: event(
    "snapshot",
    "The text so far in one piece, for a reader that has missed events of it; its id is the last event it covers.",
    { content: Type.String(), reasoning: Type.Optional(Type.String()), ...extrasMembers },
  ),
  conversation_complete: event("conversation_complete", "The reply is stored. Terminal.", {
    full_response: Type.String(),
    agent_id: Type.String(),
    finish_reason: Type.String({ examples: ["stop", "length"] }),
    usage: Type.Union([UsageSchema, Type.Null()]),
    context: Type.Optional(ContextSchema),
    ...outputMembers,
    duration_ms: Type.Integer({ minimum: 0 }),
    time_to_first_token_ms: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
  }),
  cancelled: event("cancelled", "Stopped on purpose; what had been said is kept. Terminal.", {
    full_response: Type.String(),
    reason: Type.String({
      examples: [
        "cancelled",
        "interrupted_by_user",
        "rolled_back",
        "steered",
        "taken_in",
        "session_deleted",
      ],
    }),
  }),
  error: event("error", "The reply ended in a fault. Terminal.", {
    error: Type.String(),
    code: Type.Integer({ description: "As an HTTP status." }),
    error_type: Type.String({ description: "As `error.type`, or `interrupted`." }),
    full_response: Type.String({ description: "What had arrived." }),
  }),
};

type Schemas = typeof replyEventSchemas;

export type ReplyEventType = keyof Schemas;

export type ReplyEvent = { [T in ReplyEventType]: Static<Schemas[T]> }[ReplyEventType];

/** An event before the log stamps it with ids and time. */
export type ReplyEventBody = {
  [T in ReplyEventType]: Omit<Static<Schemas[T]>, "session_id" | "message_id" | "timestamp">;
}[ReplyEventType];

/** After one of these nothing follows in the log of a reply, or only when a person has decided. */
export function isAtRest(type: ReplyEventType): boolean {
  return isTerminal(type) || type === "paused";
}

/** After one of these nothing follows in the log of a reply. */
export function isTerminal(type: ReplyEventType): boolean {
  return type === "conversation_complete" || type === "cancelled" || type === "error";
}
