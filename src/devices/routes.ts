import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { callerUser, requireAction } from "../http/caller.ts";
import { eventNumber } from "../http/event-number.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { ref } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import type { SseView } from "../replies/reading/sse.ts";
import type { SessionFollowers } from "./follow-sessions.ts";

interface DeviceRoutesOptions {
  readonly followers: Pick<SessionFollowers, "open">;
  readonly sse: SseView;
  readonly identity: IdentityProvider;
}

const example = `id: 1795888081170
data: {"type":"ready","timestamp":"2026-11-22T10:00:00.000Z"}

id: 1795888081171
data: {"type":"session_deleted","timestamp":"2026-11-22T10:00:07.120Z","session_id":"019a…"}

`;

/** What happens to a user's sessions, told to all his devices. */
export function deviceRoutes(options: DeviceRoutesOptions): FastifyPluginAsyncTypebox {
  const { followers, sse, identity } = options;
  return async (app) => {
    app.get(
      "/sessions/events",
      {
        schema: {
          tags: ["Sessions"],
          security: [{ bearer: [] }, { apiKey: [] }, {}],
          summary: "Follow what happens to a user's sessions, on whatever device and node",
          description:
            "Numbered in the order in which it was committed; the numbers are the user's, and grow. Sessions and messages " +
            "are described as they are when it is told.",
          querystring: Type.Object({
            user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128, pattern: "\\S" })),
            after: Type.Optional(
              Type.String({ description: "Id of the last event seen; nothing: from now on." }),
            ),
          }),
          headers: {
            type: "object",
            properties: {
              "last-event-id": { type: "string", description: "As `after`, and wins over it." },
            },
          },
          response: {
            200: {
              description:
                "Server-sent events without `event:` lines. A comment line keeps silent streams awake.",
              content: { "text/event-stream": { schema: ref("SessionEvent"), example } },
            },
            ...problemResponses("overloaded"),
          },
        },
      },
      async (request, reply) => {
        const { query } = request;
        const userId = callerUser(request, query.user_id);
        const after = eventNumber(request.headers["last-event-id"] ?? query.after);
        await requireAction(request, identity, "access_chat_session");
        using viewer = sse.admit(request);
        viewer.show(request, reply, {
          fields: { userId },
          isForBrowsers: true,
          open: (reader) => followers.open(userId, after, reader),
        });
      },
    );
  };
}
