import { replyEventSchemas } from "../replies/reply-event.ts";

const example = `id: 1
data: {"type":"user_message","session_id":"019a…","message_id":"019b…","timestamp":"2026-11-22T10:00:00.000Z","message":"Hi","user_message_id":"019b…","reply_message_id":"019b…"}

id: 2
data: {"type":"assistant_chunk","session_id":"019a…","message_id":"019b…","timestamp":"2026-11-22T10:00:00.120Z","chunk":"Hello","finished":false,"agent_id":"general-chat"}

id: 3
data: {"type":"assistant_chunk","session_id":"019a…","message_id":"019b…","timestamp":"2026-11-22T10:00:00.150Z","chunk":"!","finished":true,"agent_id":"general-chat"}

id: 4
data: {"type":"conversation_complete","session_id":"019a…","message_id":"019b…","timestamp":"2026-11-22T10:00:00.160Z","full_response":"Hello!","agent_id":"general-chat","finish_reason":"stop","usage":null,"duration_ms":160,"time_to_first_token_ms":120}

data: [DONE]

`;

/** The stream of a reply in the OpenAPI document. */
export const streamResponse = {
  description:
    "Server-sent events. Each has `id: <n>` (1, 2, 3 … without gaps) and `data: <json>`, one of the events below; " +
    "the last line is `data: [DONE]`. A comment line keeps silent streams awake.",
  content: {
    "text/event-stream": {
      schema: {
        title: "ReplyEvent",
        anyOf: Object.keys(replyEventSchemas).map((name) => ({ $ref: `event_${name}#` })),
      },
      example,
    },
  },
};
