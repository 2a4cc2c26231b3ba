import type { Operations } from "./api-types.ts";
import type { EncodedFile } from "./files.ts";
import { path, type CallOptions, type Transport } from "./transport.ts";

type Query<Name extends keyof Operations> = Operations[Name]["query"];
type Answer<Name extends keyof Operations> = Operations[Name]["answer"];

/** What agents remember of a user, beside conversations. */
export function createMemories(transport: Transport) {
  return {
    list: (query: Query<"GET /chat/memories"> = {}, options?: CallOptions) =>
      transport.json<Answer<"GET /chat/memories">>(
        { method: "GET", path: "/chat/memories", query, user: "query" },
        options,
      ),
    /** One of them. */
    forget: async (memoryId: string, options?: CallOptions): Promise<void> => {
      await transport.json(
        { method: "DELETE", path: path`/chat/memories/${memoryId}`, user: "query" },
        options,
      );
    },
    forgetAll: (options?: CallOptions) =>
      transport.json<Answer<"DELETE /chat/memories">>(
        { method: "DELETE", path: "/chat/memories", user: "query" },
        options,
      ),
  };
}

/** What agents look things up in; administrators change it. */
export function createKnowledge(transport: Transport) {
  return {
    list: (options?: CallOptions) =>
      transport.json<Answer<"GET /chat/knowledge">>(
        { method: "GET", path: "/chat/knowledge" },
        options,
      ),
    add: (knowledgeId: string, body: EncodedFile, options?: CallOptions) =>
      transport.json<Answer<"POST /chat/knowledge/{knowledge_id}/documents">>(
        { method: "POST", path: path`/chat/knowledge/${knowledgeId}/documents`, body },
        options,
      ),
    remove: async (
      knowledgeId: string,
      documentId: string,
      options?: CallOptions,
    ): Promise<void> => {
      await transport.json(
        { method: "DELETE", path: path`/chat/knowledge/${knowledgeId}/documents/${documentId}` },
        options,
      );
    },
  };
}
