import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { agentSchema } from "./agents/routes.ts";
import { acceptedSchema, answerSchema } from "./chat/answer.ts";
import { messageSchema } from "./chat/message-info.ts";
import { sessionEventSchema } from "./devices/session-event.ts";
import { prepareToClose } from "./http/close-connections.ts";
import { createServer, type Server, type ServerOptions } from "./http/create-server.ts";
import { installOpenApi } from "./http/openapi.ts";
import { paginationSchema, problemSchema } from "./http/schemas.ts";
import { a2aErrorSchema } from "./protocols/a2a/schemas.ts";
import { mcpErrorSchema } from "./protocols/mcp/documented.ts";
import { chatErrorSchema } from "./protocols/ai-sdk/schemas.ts";
import { runErrorSchema } from "./protocols/ag-ui/schemas.ts";
import { transcriptionErrorSchema } from "./protocols/copilotkit/transcribe.ts";
import { openAiErrorSchema } from "./protocols/openai/schemas.ts";
import { replyEventSchemas } from "./replies/reply-event.ts";
import { sessionInfoSchema } from "./sessions/session-info.ts";

interface AppOptions extends ServerOptions {
  readonly version: string;
  /** Each feature's routes, in the order of the documentation. */
  readonly routes: readonly FastifyPluginAsyncTypebox[];
  /** Ends every open stream: the server cannot close before. */
  readonly closeStreams: () => void;
  readonly isDraining: () => boolean;
}

/** The HTTP application: what all routes share, the documents, and each feature's routes. */
export async function createApp(options: AppOptions): Promise<Server> {
  const { development, service } = options.config;
  const server = await createServer(options);
  const { app } = server;
  await installOpenApi(app, {
    version: options.version,
    isServed:
      development.enable_docs === "always" ||
      (development.enable_docs === "auto" && service.environment !== "production"),
    schemas: [
      problemSchema,
      paginationSchema,
      sessionInfoSchema,
      messageSchema,
      answerSchema,
      acceptedSchema,
      agentSchema,
      sessionEventSchema,
      openAiErrorSchema,
      mcpErrorSchema,
      a2aErrorSchema,
      runErrorSchema,
      chatErrorSchema,
      transcriptionErrorSchema,
      ...Object.entries(replyEventSchemas).map(([name, schema]) => ({
        ...schema,
        $id: `event_${name}`,
      })),
    ],
  });
  // Balancers and clients keep connections open and would bring their next request to a node that is about to refuse it.
  app.addHook("onSend", (_request, reply, _payload, done) => {
    if (options.isDraining()) void reply.header("Connection", "close");
    done();
  });
  for (const routes of options.routes) await app.register(routes);
  const beginClosing = prepareToClose(app.server);
  app.addHook("preClose", (done) => {
    options.closeStreams();
    beginClosing();
    done();
  });
  await app.ready();
  return server;
}
