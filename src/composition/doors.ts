import { join } from "node:path";
import { agentRoutes } from "../agents/routes.ts";
import { apiKeyRoutes } from "../api-keys/routes.ts";
import { createApp } from "../app.ts";
import { auditRoutes } from "../audit/routes.ts";
import { attachmentRoutes } from "../attachments/routes.ts";
import { deviceRoutes } from "../devices/routes.ts";
import { branchRoutes } from "../chat/branch-routes.ts";
import { feedbackRoutes } from "../chat/feedback-routes.ts";
import { historyRoutes } from "../chat/history-routes.ts";
import { queueRoutes } from "../chat/queue-routes.ts";
import { chatRoutes } from "../chat/routes.ts";
import { searchRoutes } from "../chat/search-routes.ts";
import { createWholeAnswer } from "../chat/whole-answer.ts";
import { createWebSocketRoutes } from "../chat/websocket-routes.ts";
import type { GatewayRegistration } from "../gateway/gateway-registration.ts";
import { Places, PlacesByOwner } from "../lib/places.ts";
import { Shares } from "../lib/shares.ts";
import { exportRoutes } from "../transfer/export-routes.ts";
import { importRoutes } from "../transfer/import-routes.ts";
import { pageRoutes } from "../page/page-routes.ts";
import { createSseView } from "../replies/reading/sse.ts";
import { bulkSessionRoutes } from "../sessions/bulk-routes.ts";
import { shareRoutes } from "../shares/share-routes.ts";
import { knowledgeRoutes } from "../knowledge/routes.ts";
import { maxMessageBytes } from "../chat/message-body.ts";
import { memoryRoutes } from "../memories/routes.ts";
import { usageRoutes } from "../usage/routes.ts";
import { sessionRoutes } from "../sessions/routes.ts";
import { version } from "../version.ts";
import { createVoiceConversations } from "../voice/conversation/voice-conversation.ts";
import { voiceMessageRoutes } from "../voice/message-routes.ts";
import { voiceRoutes } from "../voice/routes.ts";
import { configuredBackends, listAllModels } from "./agent-backends.ts";
import type { Closing } from "./closing.ts";
import type { Conversations } from "./conversations.ts";
import type { Floors } from "./floors.ts";
import { createHealthReports } from "./health-reports.ts";
import { openProtocols } from "./protocol-routes.ts";
import type { Siblings } from "./workers/siblings.ts";
import { requestCosts } from "./request-costs.ts";

/** Exports at a time on this node: each holds a page of messages or a file. */
const maxExports = 8;
/** Shared conversations that are being read, likewise. */
const maxShareReaders = 32;
/** Imports: each holds a conversation. */
const maxImports = 2;
/** Files that come in for it, or wait for their turn: each lies on the disk. */
const maxImportUploads = 16;
const maxImportUploadsOfUser = 2;

interface State {
  readonly gateway: GatewayRegistration | null;
  /** Null where this process is the whole service. */
  readonly siblings: Siblings | null;
  readonly isDraining: () => boolean;
}

/** The HTTP application with every door: routes, streams, sockets, health, the page. Not listening yet. */
export async function openDoors(
  floors: Floors,
  conversations: Conversations,
  { gateway, siblings, isDraining }: State,
  closing: Closing,
) {
  const { config, identity, telemetry, pace } = floors;
  const { speech, sessionStore, catalogue, backends, openReply, messages, search } = conversations;
  const { limits } = config;
  const configured = configuredBackends(backends);
  const room = new Shares({
    total: limits.max_received_bytes,
    each: limits.max_received_bytes / 4,
    maxWaiting: 64,
  });

  const placesOfUsers = new PlacesByOwner(limits.max_viewers_per_user);
  const sse = createSseView({
    open: openReply,
    isThere: async (replyId) => (await conversations.replyStore.owner(replyId)) !== null,
    telemetry,
    identity,
    maxViewers: limits.max_viewers,
    placesOfUsers,
    heartbeatMs: config.server.heartbeat_seconds * 1000,
  });
  const health = createHealthReports({
    ...floors,
    ...conversations,
    version,
    gateway,
    siblings,
    voice: speech.probe,
    features: {
      transcription: speech.voice.recognition.enabled,
      synthesis: speech.voice.speech.enabled,
      websocket: true,
      modelSelection: configured.some((backend) => backend.listModels !== undefined),
    },
    isDraining,
  });
  closing.add("health", () => health.close());
  const sockets = createWebSocketRoutes({
    ...conversations,
    identity,
    audit: floors.audit,
    sessions: sessionStore,
    followSessions: conversations.sessionFollowers.follow,
    openConversation: createVoiceConversations({
      voice: speech.voice,
      audio: speech.store,
      replies: conversations.replies,
      store: conversations.replyStore,
      log: floors.replyLog,
      maxListening: config.voice.max_listeners,
    }),
    isListening: speech.voice.recognition.enabled,
    telemetry,
    pace,
    room,
    uploadRate: limits.upload_rate_limit,
    heartbeatMs: config.server.heartbeat_seconds * 1000,
    maxConnections: limits.max_viewers,
    placesOfUsers,
    maxMessageLength: limits.max_message_length,
    maxUploadBytes: limits.max_upload_size,
    maxBodyBytes: limits.max_body_size,
  });
  const wholeAnswer = createWholeAnswer(conversations.commands, messages, speech.audioResponse);
  const bounds = {
    maxMessageLength: limits.max_message_length,
    maxUploadBytes: limits.max_upload_size,
    maxBodyBytes: limits.max_body_size,
  };
  const protocols = openProtocols(floors, conversations, sse, closing);
  const { app } = await createApp({
    ...floors,
    errorShapes: protocols.errorShapes,
    logger: floors.log.pino,
    room,
    costs: requestCosts(config.monitoring.metrics_path),
    version,
    isDraining,
    closeStreams() {
      sse.closeAll();
      sockets.closeAll();
      protocols.closeStreams();
    },
    routes: [
      sessionRoutes({ ...conversations, store: sessionStore, identity }),
      auditRoutes({ audit: floors.audit, identity }),
      apiKeyRoutes({
        ...floors,
        configured: new Set(config.auth.api_keys.map(({ name }) => name)),
      }),
      deviceRoutes({ followers: conversations.sessionFollowers, sse, identity }),
      usageRoutes({ usage: forgetful(conversations), identity }),
      memoryRoutes({ ...conversations, identity }),
      knowledgeRoutes({
        ...conversations,
        identity,
        maxUploadBytes: limits.max_upload_size,
        bodyLimit: maxMessageBytes(limits.max_body_size, limits.max_upload_size),
      }),
      bulkSessionRoutes({
        ...conversations,
        store: sessionStore,
        identity,
        countAudio: (userId) => speech.store.countOf(userId),
        countFeedback: (userId) => conversations.feedback.countOf(userId),
      }),
      chatRoutes({ ...conversations, sse, identity, wholeAnswer, ...bounds }),
      branchRoutes({ ...conversations, sse, identity, wholeAnswer, ...bounds }),
      voiceMessageRoutes({
        ...conversations,
        ...speech,
        sessions: sessionStore,
        sse,
        identity,
        maxUploadBytes: limits.max_upload_size,
        maxMessageLength: limits.max_message_length,
      }),
      voiceRoutes({
        ...speech,
        identity,
        maxUploadBytes: limits.max_upload_size,
        maxTextLength: limits.max_message_length,
      }),
      sockets.routes,
      attachmentRoutes({ store: conversations.attachments, identity }),
      searchRoutes({ search, identity }),
      queueRoutes({ ...conversations, sessions: sessionStore, identity, ...bounds }),
      historyRoutes({ messages, pages: conversations.pages, sessions: sessionStore, identity }),
      feedbackRoutes({ ...conversations, identity, telemetry }),
      exportRoutes({
        ...conversations,
        sessions: sessionStore,
        identity,
        places: new Places(maxExports),
      }),
      shareRoutes({
        ...conversations,
        sessions: sessionStore,
        identity,
        publicUrl: config.server.public_url,
        places: new Places(maxShareReaders),
      }),
      importRoutes({
        ...conversations,
        database: floors.database,
        identity,
        uploads: new Places(maxImportUploads),
        uploadsOfUser: new PlacesByOwner(maxImportUploadsOfUser),
        places: new Places(maxImports),
        async agents(caller) {
          const agents = catalogue.seenBy(caller);
          const { agentId: chosen } = await agents.resolve(undefined);
          return (agentId) =>
            agentId !== null && agents.entry(agentId) !== undefined ? agentId : chosen;
        },
        limits: { maxImportBytes: limits.max_import_size, maxFileBytes: limits.max_upload_size },
      }),
      agentRoutes({
        catalogue,
        listModels: (signal) => listAllModels(configured, signal),
      }),
      ...protocols.routes,
      ...health.routes,
      pageRoutes({ directory: join(import.meta.dirname, "../../web/dist") }),
    ],
  });
  closing.add("HTTP", () => app.close());
  return app;
}

/** Whose use is erased is being erased: what his devices were told is too. */
function forgetful({ usage, sessionEvents }: Pick<Conversations, "usage" | "sessionEvents">) {
  return {
    ...usage,
    async erase(userId: string): Promise<number> {
      const deleted = await usage.erase(userId);
      await sessionEvents.erase(userId);
      return deleted;
    },
  };
}
