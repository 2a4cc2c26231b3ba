import type { SseView } from "../replies/reading/sse.ts";
import { createExternalIds } from "../protocols/conversation-name.ts";
import { createWatchDisconnect } from "../protocols/disconnect.ts";
import { createTurnOpener } from "../protocols/open-turn.ts";
import { chatErrors } from "../protocols/ai-sdk/errors.ts";
import { createKnownMessages } from "../protocols/ai-sdk/known-messages.ts";
import { chatRoutes } from "../protocols/ai-sdk/routes.ts";
import { a2aErrors } from "../protocols/a2a/errors.ts";
import { a2aRoutes } from "../protocols/a2a/routes.ts";
import { createTaskStore } from "../protocols/a2a/task-store.ts";
import { createRunAgent } from "../protocols/ag-ui/open-run.ts";
import { agUiRoutes } from "../protocols/ag-ui/routes.ts";
import { runErrors } from "../protocols/ag-ui/errors.ts";
import { copilotKitRoutes } from "../protocols/copilotkit/routes.ts";
import { threadRoutes } from "../protocols/copilotkit/threads.ts";
import { transcribeRoutes, transcriptionErrors } from "../protocols/copilotkit/transcribe.ts";
import { audioRoutes } from "../protocols/openai/audio/routes.ts";
import { mcpErrors } from "../protocols/mcp/errors.ts";
import { mcpRoutes } from "../protocols/mcp/routes.ts";
import { completionRoutes } from "../protocols/openai/completions/routes.ts";
import { conversationRoutes } from "../protocols/openai/conversations/routes.ts";
import { openAiErrors } from "../protocols/openai/errors.ts";
import { modelRoutes } from "../protocols/openai/models/routes.ts";
import { responseRoutes } from "../protocols/openai/responses/routes.ts";
import { createPlaceTurn } from "../protocols/place-turn.ts";
import type { Closing } from "./closing.ts";
import type { Conversations } from "./conversations.ts";
import { version } from "../version.ts";
import type { Floors } from "./floors.ts";

/** The doors through which programs come that speak another protocol, each of which can be shut. */
export function openProtocols(
  floors: Floors,
  conversations: Conversations,
  sse: SseView,
  closing: Closing,
) {
  const { config, database, identity, logger } = floors;
  const { limits, protocols } = config;
  const { voice } = conversations.speech;
  const disconnect = createWatchDisconnect({
    ...conversations,
    onDisconnect: protocols.on_disconnect,
    logger,
  });
  closing.add("readers of protocols", () => disconnect.close());
  const externalIds = createExternalIds(database, conversations.sessionStore);
  const placeTurn = createPlaceTurn(database);
  const turns = createTurnOpener({ ...conversations, logger, externalIds, placeTurn });
  const shared = {
    ...conversations,
    externalIds,
    turns,
    disconnect,
    sse,
    identity,
    maxMessageLength: limits.max_message_length,
    maxUploadBytes: limits.max_upload_size,
    maxBodyBytes: limits.max_body_size,
  };
  const closingSoon = new AbortController();
  const doors = [
    {
      isOpen: protocols.openai,
      routes: () => [
        responseRoutes(shared),
        completionRoutes(shared),
        conversationRoutes(shared),
        audioRoutes({ ...shared, voice }),
        modelRoutes(conversations.catalogue),
      ],
      errorShapes: [openAiErrors],
    },
    {
      isOpen: protocols.ag_ui,
      routes: () => {
        const runAgent = createRunAgent({ ...shared, placeTurn });
        return [
          agUiRoutes({ ...shared, runAgent }),
          copilotKitRoutes({ ...shared, runAgent, version, hears: voice.recognition.enabled }),
          transcribeRoutes({ ...shared, voice }),
          threadRoutes(shared),
        ];
      },
      errorShapes: [transcriptionErrors, ...["/agui/", "/copilotkit/"].map(runErrors)],
    },
    {
      isOpen: protocols.ai_sdk,
      routes: () => [chatRoutes({ ...shared, knownMessages: createKnownMessages(database) })],
      errorShapes: [chatErrors],
    },
    {
      isOpen: protocols.mcp,
      routes: () => [
        mcpRoutes({
          ...shared,
          waitMs: protocols.mcp_wait_seconds * 1000,
          closing: closingSoon.signal,
          name: config.service.name,
          version,
          heartbeatMs: config.server.heartbeat_seconds * 1000,
          publicUrl: config.server.public_url,
          issuer: tokenIssuer(config),
          logger,
        }),
      ],
      errorShapes: [mcpErrors],
    },
    {
      isOpen: protocols.a2a,
      routes: () => [
        a2aRoutes({
          ...shared,
          tasks: createTaskStore(database),
          closing: closingSoon.signal,
          name: config.service.name,
          version,
          publicUrl: config.server.public_url,
          isGuarded: config.auth.mode !== "open",
        }),
      ],
      errorShapes: [a2aErrors],
    },
  ].filter(({ isOpen }) => isOpen);
  return {
    routes: doors.flatMap(({ routes }) => routes()),
    errorShapes: doors.flatMap(({ errorShapes }) => errorShapes),
    /** Whoever waits is told that what it waits for goes on. */
    closeStreams: () => closingSoon.abort(),
  };
}

/** Whom clients can ask for a token; null: there are none, or nobody says where. */
function tokenIssuer({ auth, security: { issuer } }: Floors["config"]): string | null {
  return auth.mode !== "open" && issuer !== null && URL.canParse(issuer) ? issuer : null;
}
