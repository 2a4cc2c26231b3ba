import websocket, { type WebSocket } from "@fastify/websocket";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import { problemResponses } from "../http/problem-docs.ts";
import { createBodyCheck } from "../http/validation.ts";
import { readCredentials } from "../identity/credentials.ts";
import type { Credentials, Identity, IdentityProvider } from "../identity/identity.ts";
import { watchAdmission } from "../identity/watch-admission.ts";
import { Problem } from "../problems/problem.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { messageBody } from "./message-body.ts";
import { ChatConnection, type ChatConnectionOptions } from "./chat-connection.ts";

interface WebSocketRoutesOptions extends Omit<ChatConnectionOptions, "checkMessage"> {
  readonly identity: IdentityProvider;
  readonly telemetry: Telemetry;
  /** Origins of browsers that may connect beside this service's own; `*` for all. */
  readonly allowedOrigins: readonly string[];
  readonly heartbeatMs: number;
  /** Whether sound is understood here. */
  readonly isListening: boolean;
  readonly maxConnections: number;
  readonly maxMessageLength: number;
  /** Of one message of the client, attachments included. */
  readonly maxMessageBytes: number;
}

/** A client that has to sign in with its first message gets this long. */
const authenticationMs = 10_000;
/** A client that is told to leave gets this long to say goodbye. */
const closePatienceMs = 2_000;

export interface WebSocketRoutes {
  readonly routes: FastifyPluginAsyncTypebox;
  /** Ends every connection, so that the server can close; clients come back with their cursors. */
  closeAll(): void;
}

/** The conversation over one socket: the same turns and events as over HTTP. */
export function createWebSocketRoutes(options: WebSocketRoutesOptions): WebSocketRoutes {
  const { identity, telemetry, allowedOrigins, heartbeatMs, maxConnections } = options;
  const open = new Set<WebSocket>();
  const checkMessage = createBodyCheck(messageBody(options.maxMessageLength));

  const checkOrigin = async (request: FastifyRequest): Promise<void> => {
    const { origin, host } = request.headers;
    // Programs send no origin; a page of another site must not use its visitor's network position.
    if (origin === undefined || allowedOrigins.includes("*") || allowedOrigins.includes(origin)) {
      return;
    }
    if (URL.canParse(origin) && new URL(origin).host === host) return;
    throw new Problem("forbidden", { action: "WebSocket from another origin" });
  };

  const admit = async (): Promise<void> => {
    if (open.size >= maxConnections) throw new Problem("overloaded", {}, { retryAfterSeconds: 2 });
  };

  const connect = async (socket: WebSocket, request: FastifyRequest): Promise<void> => {
    const credentials = readCredentials(request.raw.rawHeaders);
    const isAnonymous = credentials.authorization === undefined && credentials.apiKey === undefined;
    const { session_id: sessionId, user_id: userId } = request.query as Record<string, string>;
    const connection = new ChatConnection(
      socket,
      {
        requestId: request.id,
        traceparent: request.traceparent,
        language: request.language,
        sessionId,
        userId,
        log: request.log,
      },
      { ...options, checkMessage },
    );
    const letIn = async (given: Credentials): Promise<Identity | null> => {
      const caller = await identity.authenticate(given);
      if (caller !== null) await identity.authorize(caller, "access_chat_session");
      const stopWatching = watchAdmission({
        provider: identity,
        identity: caller,
        credentials: given,
        log: request.log,
        onRefused: () => connection.refuse("expired"),
      });
      if (socket.readyState === socket.OPEN) socket.once("close", stopWatching);
      else stopWatching();
      return caller;
    };
    if (identity.mode === "open" || !isAnonymous) {
      await connection.establish(await letIn(credentials));
    } else {
      const timer = setTimeout(() => connection.refuse("missing"), authenticationMs);
      socket.once("close", () => clearTimeout(timer));
      connection.awaitToken(async (token) => {
        clearTimeout(timer);
        return letIn(token);
      });
    }
  };

  return {
    closeAll() {
      for (const socket of open) {
        socket.close(1001, "the node is shutting down");
        // Some clients do not answer, and the server would wait for them.
        const patience = setTimeout(() => socket.terminate(), closePatienceMs);
        socket.once("close", () => clearTimeout(patience));
      }
    },
    routes: async (app) => {
      await app.register(websocket, { options: { maxPayload: options.maxMessageBytes } });

      app.get(
        "/chat/ws",
        {
          websocket: true,
          preValidation: [checkOrigin, admit],
          config: { isPublic: true },
          schema: {
            tags: ["Messages"],
            summary: "A conversation over one WebSocket; GET /chat/ws/info describes it",
            querystring: Type.Object({
              session_id: Type.Optional(Type.String({ maxLength: 64 })),
              user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
            }),
            response: {
              101: { description: "The connection speaks WebSocket from here on." },
              ...problemResponses("forbidden", "overloaded"),
            },
          },
        },
        (socket, request) => {
          open.add(socket);
          telemetry.viewers(1);
          let isAlive = true;
          socket.on("pong", () => (isAlive = true));
          const heartbeat = setInterval(() => {
            if (!isAlive) return socket.terminate();
            isAlive = false;
            socket.ping();
          }, heartbeatMs);
          socket.once("close", () => {
            clearInterval(heartbeat);
            open.delete(socket);
            telemetry.viewers(-1);
          });
          socket.on("error", (error) => request.log.debug({ err: error }, "WebSocket broke"));
          connect(socket, request).catch((error: unknown) => {
            if (!(error instanceof Problem)) {
              request.log.error({ err: error }, "WebSocket could not be served");
            }
            const problem = error instanceof Problem ? error : new Problem("internal_error", {});
            socket.send(
              JSON.stringify({
                type: "error",
                error_type: problem.type,
                code: problem.status,
                error: problem.text(request.language),
              }),
            );
            socket.close(4000 + problem.status, problem.type);
          });
        },
      );

      app.get(
        "/chat/ws/info",
        {
          config: { isPublic: true },
          schema: {
            tags: ["Messages"],
            summary: "What the WebSocket takes and sends",
            response: {
              200: Type.Object({
                websocket_enabled: Type.Literal(true),
                websocket_path: Type.String(),
                client_messages: Type.Record(Type.String(), Type.String()),
                server_messages: Type.Array(Type.String()),
                supported_features: Type.Array(Type.String()),
              }),
              ...problemResponses(),
            },
          },
        },
        async () => ({
          websocket_enabled: true as const,
          websocket_path: "/chat/ws?session_id={session_id}",
          client_messages: {
            auth: "{type, token}: first, where no Authorization header could be sent",
            chat: "{type, message, …as POST /chat/message}",
            cancel: "{type, message_id}",
            resume: "{type, message_id, after}",
            ping: "{type}",
            voice_start: "{type, sample_rate, language, turn_detection, barge_in, voice_config, …}",
            voice_commit: "{type}: the turn is over now",
            voice_stop: "{type}",
            played: "{type, message_id, played_ms, stopped}",
            interrupt: "{type, message_id, played_ms}",
            binary: "after voice_started: signed 16-bit little-endian samples, one channel",
          },
          server_messages: [
            "connection_established",
            "pong",
            "error",
            "voice_started",
            "speech_started",
            "speech_ended",
            "transcript",
            "stop_playback",
            "playback_interrupted",
            "voice_stopped",
            "the events of POST /chat/message/stream with their id as seq",
          ],
          supported_features: [
            "real_time_chat",
            "resumable_streams",
            "cancel",
            ...(options.isListening ? ["voice", "barge_in"] : []),
          ],
        }),
      );
    },
  };
}
