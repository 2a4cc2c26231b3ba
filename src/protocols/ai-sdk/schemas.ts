import { Type } from "typebox";
import { errorDocs } from "../../http/problem-docs.ts";
import { nullable } from "../../http/schemas.ts";
import { chatError } from "./errors.ts";

const open = { additionalProperties: true };

/** As `useChat` sends it. */
export const chatBody = Type.Object(
  {
    id: Type.String({
      minLength: 1,
      maxLength: 256,
      description: "The chat, as the client calls it, or a session's id.",
    }),
    messages: Type.Array(
      Type.Object(
        {
          id: Type.Optional(nullable(Type.String())),
          role: Type.String(),
          parts: Type.Optional(Type.Unknown()),
        },
        open,
      ),
      {
        maxItems: 10_000,
        description:
          "The last one is new, of the user; where it goes on is told by those before it. One of the assistant answers what its reply waits for.",
      },
    ),
    trigger: Type.Optional(
      nullable(Type.Union([Type.Literal("submit-message"), Type.Literal("regenerate-message")])),
    ),
    messageId: Type.Optional(
      nullable(Type.String({ description: "What is edited, answered or made anew." })),
    ),
  },
  {
    ...open,
    title: "ChatRequest",
    examples: [
      {
        id: "trip to Oslo",
        trigger: "submit-message",
        messages: [{ id: "m1", role: "user", parts: [{ type: "text", text: "What is 2 + 2?" }] }],
      },
    ],
  },
);

export const uiMessageSchema = Type.Object(
  {
    id: Type.String({ description: "Of the user's messages the client's own, where it gave one." }),
    role: Type.Union([Type.Literal("user"), Type.Literal("assistant")]),
    metadata: Type.Object(
      { session_id: Type.String(), created_at: Type.String({ format: "date-time" }) },
      open,
    ),
    parts: Type.Array(Type.Object({ type: Type.String() }, open)),
  },
  { title: "UIMessage" },
);

export const chatErrorSchema = Type.Object(
  {
    error: Type.String({ description: "For people." }),
    type: Type.String({ description: "Stable name of the error." }),
  },
  { $id: "ChatError", title: "ChatError", description: "Errors below `/ai`." },
);

export const errorResponses = errorDocs("ChatError", chatError);

export const tags = ["AI SDK"];
export const security = [{ bearer: [] }, { apiKey: [] }, {}];
