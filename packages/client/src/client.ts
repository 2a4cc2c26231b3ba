import { createKnowledge, createMemories } from "./account.ts";
import type { Operations } from "./api-types.ts";
import { createMessages } from "./messages.ts";
import { createSessions } from "./sessions.ts";
import { createTransport, type Call, type CallOptions, type ClientOptions } from "./transport.ts";
import { createVoice } from "./voice.ts";

type Answer<Name extends keyof Operations> = Operations[Name]["answer"];

export type ChatClient = ReturnType<typeof createChatClient>;

/** A client of a Chat Service. Its calls raise ApiError, ConnectionError, and what their signal was aborted with. */
export function createChatClient(options: ClientOptions) {
  const transport = createTransport(options);
  const get =
    <Name extends keyof Operations>(path: string) =>
    (callOptions?: CallOptions) =>
      transport.json<Answer<Name>>({ method: "GET", path }, callOptions);
  const messages = createMessages(transport);
  return {
    sessions: createSessions(transport),
    messages,
    voice: createVoice(transport),
    memories: createMemories(transport),
    knowledge: createKnowledge(transport),
    /** As `messages.send`. */
    send: messages.send,
    /** As `messages.search`. */
    search: messages.search,
    agents: async (callOptions?: CallOptions) =>
      (await get<"GET /chat/agents">("/chat/agents")(callOptions)).agents,
    models: async (callOptions?: CallOptions) =>
      (await get<"GET /chat/models">("/chat/models")(callOptions)).models,
    usage: (query: Operations["GET /usage"]["query"] = {}, callOptions?: CallOptions) =>
      transport.json<Answer<"GET /usage">>(
        { method: "GET", path: "/usage", query, user: "query" },
        callOptions,
      ),
    /** Whether it is there, and which version. */
    health: get<"GET /health">("/health"),
    /** Features and limits. */
    config: get<"GET /health/config">("/health/config"),
    /** Any other path of the service, with the credentials, deadlines, repeats and errors of this client. */
    request: <T>(call: Call, callOptions?: CallOptions) => transport.json<T>(call, callOptions),
    /** An address of the service, for links and images. */
    url: transport.url,
  };
}
