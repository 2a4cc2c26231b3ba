import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { maxMessageBytes } from "../../chat/message-body.ts";
import { turnRefusals } from "../refusals.ts";
import type { RunAgent } from "./open-run.ts";
import { errorResponses, runInput, security, tags } from "./schemas.ts";

interface RunRoutesOptions {
  readonly runAgent: RunAgent;
  readonly maxUploadBytes: number;
  readonly maxBodyBytes: number;
}

const example = `id: 64
data: {"type":"RUN_STARTED","threadId":"trip to Oslo","runId":"run-1","protocolVersion":"1.0","metadata":{"chat_service":{"seq":64}}}

id: 128
data: {"type":"TEXT_MESSAGE_START","messageId":"019b…","role":"assistant","metadata":{"chat_service":{"seq":128}}}

id: 129
data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"019b…","delta":"4","metadata":{"chat_service":{"seq":129}}}

id: 192
data: {"type":"TEXT_MESSAGE_END","messageId":"019b…","metadata":{"chat_service":{"seq":192}}}

id: 193
data: {"type":"RUN_FINISHED","threadId":"trip to Oslo","runId":"run-1","outcome":{"type":"success"},"metadata":{"chat_service":{"seq":193}}}

`;

/** What a run looks like on each path on which there is one. */
export function runRoute(
  summary: string,
  { maxBodyBytes, maxUploadBytes }: Pick<RunRoutesOptions, "maxBodyBytes" | "maxUploadBytes">,
) {
  return {
    bodyLimit: maxMessageBytes(maxBodyBytes, maxUploadBytes),
    schema: {
      tags,
      security,
      summary,
      headers: {
        type: "object",
        properties: {
          "last-event-id": {
            type: "string",
            description: "Number of the last event seen of this run: it goes on behind it.",
          },
        },
      },
      params: Type.Object({ agent_id: Type.String({ examples: ["general-chat"] }) }),
      body: runInput,
      response: {
        200: {
          description: "Events of AG-UI.",
          content: { "text/event-stream": { schema: { type: "string" }, example } },
        },
        ...errorResponses(...turnRefusals),
      },
    },
  };
}

/** Agents as AG-UI's clients run them. */
export function agUiRoutes(options: RunRoutesOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      "/agui/:agent_id",
      runRoute("A run of an agent, or one that there is once more", options),
      async (request, reply) => {
        await options.runAgent(request, reply, request.params.agent_id);
        return undefined;
      },
    );
  };
}
