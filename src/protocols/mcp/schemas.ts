import { Type, type TSchema } from "typebox";
import { closed } from "../../http/closed-body.ts";
import { nullable, timestampSchema } from "../../http/schemas.ts";
import { RequirementSchema, SourceSchema, UsageSchema } from "../../replies/reply-event.ts";

/** So much of an answer's text goes into one result, in UTF-16 units; `next_offset` says where the rest begins. */
export const maxAnswerLength = 50_000;
/** Of one message in a list of many. */
export const maxListedLength = 4_000;
export const maxAgents = 100;

const sessionId = Type.String({ maxLength: 64, description: "Of a conversation." });
const messageId = Type.String({ maxLength: 64, description: "Of a reply of an agent." });
const cursor = Type.Optional(
  Type.String({ maxLength: 500, description: "`next_cursor` of the page before." }),
);
const limit = (maximum: number, byDefault: number) =>
  Type.Integer({ minimum: 1, maximum, default: byDefault });
const nextCursor = nullable(Type.String({ description: "Null: there is no more." }));
const status = Type.Union([Type.Literal("active"), Type.Literal("archived")]);
const role = Type.Union([Type.Literal("user"), Type.Literal("assistant"), Type.Literal("system")]);

/** What an agent has answered, as far as it has. */
const answer = Type.Object({
  session_id: Type.String({ description: "Give it to ask_agent to go on in this conversation." }),
  message_id: Type.String({ description: "Of this reply, for read_reply, decide and stop_reply." }),
  agent_id: Type.String(),
  status: Type.Union(
    [
      Type.Literal("completed"),
      Type.Literal("running"),
      Type.Literal("queued"),
      Type.Literal("paused"),
      Type.Literal("cancelled"),
    ],
    {
      description:
        "`running` and `queued`: it goes on, read_reply waits for more. `paused`: somebody must decide about " +
        "`requirements`.",
    },
  ),
  text: Type.String({ description: `From \`offset\` on, at most ${maxAnswerLength} characters.` }),
  offset: Type.Integer({ minimum: 0 }),
  next_offset: nullable(
    Type.Integer({ description: "Where read_reply goes on; null: nothing more is there by now." }),
  ),
  finish_reason: Type.Optional(Type.String()),
  waits_for: Type.Optional(
    Type.String({
      description: "The reply of this conversation that must be decided about first.",
    }),
  ),
  requirements: Type.Optional(Type.Array(RequirementSchema)),
  tools: Type.Optional(
    Type.Array(Type.Object({ name: Type.String(), status: Type.String() }), {
      description: "What the agent has used.",
    }),
  ),
  sources: Type.Optional(Type.Array(SourceSchema)),
  files: Type.Optional(
    Type.Array(
      Type.Object({
        kind: Type.String(),
        url: Type.Optional(Type.String()),
        name: Type.Optional(Type.String()),
        media_type: Type.Optional(Type.String()),
      }),
    ),
  ),
  usage: Type.Optional(UsageSchema),
});

interface ToolDescription {
  readonly title: string;
  readonly description: string;
  readonly input: TSchema;
  readonly output: TSchema;
  readonly annotations: {
    readonly readOnlyHint: boolean;
    readonly destructiveHint: boolean;
    readonly idempotentHint: boolean;
    readonly openWorldHint: boolean;
  };
}

const reading = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
} as const;
/** What agents do with their tools is anybody's guess. */
const asking = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: true,
} as const;

/** Every tool as clients and their models are told of it. */
export const tools = {
  list_agents: {
    title: "List agents",
    description: "The agents, teams and workflows that can be asked, with what each is for.",
    input: Type.Object({ cursor }),
    output: Type.Object({
      agents: Type.Array(
        Type.Object({
          agent_id: Type.String(),
          name: Type.String(),
          description: Type.String(),
          type: Type.String(),
          status: Type.String({ description: "`unavailable` ones cannot answer now." }),
          tools: Type.Array(Type.String()),
          suggested_prompts: Type.Array(Type.String()),
        }),
      ),
      next_cursor: nextCursor,
    }),
    annotations: reading,
  },
  ask_agent: {
    title: "Ask an agent",
    description:
      "Sends a message to an agent and waits for its reply. Without session_id a conversation begins; with the " +
      "session_id of an earlier result the agent knows what was said there. A reply that takes long comes back as " +
      "`running` and goes on: read_reply waits for the rest, so do not ask again.",
    input: Type.Object({
      agent_id: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 200,
          description: "From list_agents; absent: that of the conversation, or the default one.",
        }),
      ),
      message: Type.String({ minLength: 1, pattern: "\\S" }),
      session_id: Type.Optional(sessionId),
    }),
    output: answer,
    annotations: asking,
  },
  read_reply: {
    title: "Read a reply",
    description:
      "Waits until a reply has ended, for a while, and gives its text from offset on. Also for a reply that ended long ago.",
    input: Type.Object({
      message_id: messageId,
      offset: Type.Integer({ minimum: 0, maximum: 100_000_000, default: 0 }),
    }),
    output: answer,
    annotations: reading,
  },
  decide: {
    title: "Decide about a paused reply",
    description:
      "Answers what a paused reply waits for, and waits for the rest of it. Every open requirement needs a decision. " +
      "Ask the person before you approve anything in their name.",
    input: Type.Object({
      message_id: messageId,
      decisions: Type.Array(
        Type.Object({
          id: Type.String({ maxLength: 200, description: "Of the requirement." }),
          approved: Type.Boolean(),
          note: Type.Optional(
            Type.String({ maxLength: 2_000, description: "What the agent is told with it." }),
          ),
          result: Type.Optional(
            Type.Unknown({
              description:
                "Kind `input`: an object with the fields asked for. `external`: what the tool has returned.",
            }),
          ),
        }),
        { minItems: 1, maxItems: 100 },
      ),
    }),
    output: answer,
    annotations: asking,
  },
  stop_reply: {
    title: "Stop a reply",
    description: "Stops a reply that is being made; what it has said stays.",
    input: Type.Object({ message_id: messageId }),
    output: Type.Object({
      session_id: Type.String(),
      message_id: Type.String(),
      status: Type.String(),
    }),
    annotations: { ...asking, idempotentHint: true, openWorldHint: false },
  },
  search_history: {
    title: "Search the history",
    description:
      'Finds messages and titles of all the user\'s conversations, newest first, in any language. All words must occur; "…" ' +
      "is a phrase; the last word may be the beginning of one. read_session with around shows what was said there.",
    input: Type.Object({
      q: Type.String({ minLength: 1, maxLength: 500 }),
      session_id: Type.Optional(sessionId),
      agent_id: Type.Optional(Type.String({ maxLength: 200 })),
      role: Type.Optional(role),
      since: Type.Optional(Type.String({ format: "date-time" })),
      until: Type.Optional(Type.String({ format: "date-time" })),
      status: Type.Optional(status),
      limit: limit(50, 20),
      cursor,
    }),
    output: Type.Object({
      hits: Type.Array(
        Type.Object({
          message_id: nullable(Type.String({ description: "Null: the conversation's title." })),
          session_id: Type.String(),
          session_title: nullable(Type.String()),
          role: nullable(Type.String()),
          agent_id: Type.String(),
          timestamp: timestampSchema,
          snippet: Type.String(),
        }),
      ),
      next_cursor: nextCursor,
    }),
    annotations: reading,
  },
  list_sessions: {
    title: "List conversations",
    description: "The user's conversations, last active first.",
    input: Type.Object({
      status: Type.Optional(status),
      agent_id: Type.Optional(Type.String({ maxLength: 200 })),
      limit: limit(50, 20),
      cursor,
    }),
    output: Type.Object({
      sessions: Type.Array(
        Type.Object({
          session_id: Type.String(),
          title: nullable(Type.String()),
          agent_id: Type.String(),
          status: Type.String(),
          message_count: Type.Integer(),
          created_at: timestampSchema,
          last_activity: timestampSchema,
        }),
      ),
      next_cursor: nextCursor,
    }),
    annotations: reading,
  },
  read_session: {
    title: "Read a conversation",
    description:
      "The messages of a conversation, the newest first page by page, each page in the order in which they were said. " +
      `Of a longer message the first ${maxListedLength} characters: read_reply has the whole of a reply.`,
    input: Type.Object({
      session_id: sessionId,
      around: Type.Optional(
        Type.String({ maxLength: 64, description: "A message's id: the page around it." }),
      ),
      limit: limit(50, 20),
      cursor,
    }),
    output: Type.Object({
      session_id: Type.String(),
      title: nullable(Type.String()),
      agent_id: Type.String(),
      status: Type.String(),
      messages: Type.Array(
        Type.Object({
          message_id: Type.String(),
          role: Type.String(),
          agent_id: Type.String(),
          status: Type.String(),
          text: Type.String(),
          length: Type.Integer({ description: "Of the whole text." }),
          timestamp: timestampSchema,
        }),
      ),
      next_cursor: nullable(
        Type.String({ description: "For the page before this one; null: this is the beginning." }),
      ),
    }),
    annotations: reading,
  },
} as const satisfies Record<string, ToolDescription>;

export type ToolName = keyof typeof tools;

/** As the library takes a schema. What comes is checked by us, which says what is wrong in the caller's language. */
export function described(schema: TSchema) {
  const shown = closed(schema) as unknown as Record<string, unknown>;
  return {
    "~standard": {
      version: 1 as const,
      vendor: "chat-service",
      jsonSchema: { input: () => shown, output: () => shown },
      validate: (value: unknown) => ({ value }),
    },
  };
}
