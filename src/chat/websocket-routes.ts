import websocket, { type WebSocket } from "@fastify/websocket";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import { network } from "../http/address-limit.ts";
import { credentialsOf, limitedUser } from "../http/caller.ts";
import { createRequestAudit, type AuditTrail } from "../http/audit.ts";
import { countBytes } from "../http/count-bytes.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { createBodyCheck } from "../http/validation.ts";
import { namedUsers, readCredentials } from "../identity/credentials.ts";
import type { Credentials, Identity, IdentityProvider } from "../identity/identity.ts";
import { createAdmissionWatch } from "../identity/watch-admission.ts";
import type { PlacesByOwner } from "../lib/places.ts";
import { Problem } from "../problems/problem.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { dismiss } from "./dismiss.ts";
import { editBody, maxMessageBytes, messageBody } from "./message-body.ts";
import { SocketPlaces } from "./socket-places.ts";
import { ChatConnection, type ChatConnectionOptions } from "./chat-connection.ts";

interface WebSocketRoutesOptions extends Omit<ChatConnectionOptions, "checkMessage" | "checkEdit"> {
  readonly identity: IdentityProvider;
  readonly audit: AuditTrail;
  readonly telemetry: Telemetry;
  readonly heartbeatMs: number;
  /** Whether sound is understood here. */
  readonly isListening: boolean;
  readonly maxConnections: number;
  /** Of one user, over whatever door. */
  readonly placesOfUsers: PlacesByOwner;
  readonly maxMessageLength: number;
}

/** A client that has to sign in with its first message gets this long … */
const authenticationMs = 10_000;
/** … and may have sent so much until then, however it cuts it up. */
const maxUnknownBytes = 16 * 1024;

export interface WebSocketRoutes {
  readonly routes: FastifyPluginAsyncTypebox;
  /** Ends every connection, so that the server can close; clients come back with their cursors. */
  closeAll(): void;
}

/** The conversation over one socket: the same turns and events as over HTTP. */
export function createWebSocketRoutes(options: WebSocketRoutesOptions): WebSocketRoutes {
  const { identity, telemetry, heartbeatMs } = options;
  const watchAdmission = createAdmissionWatch(identity);
  const open = new Set<WebSocket>();
  let isClosing = false;
  const places = new SocketPlaces(options.maxConnections, options.placesOfUsers);
  const checkMessage = createBodyCheck(messageBody(options.maxMessageLength));
  const checkEdit = createBodyCheck(
    Type.Object({
      message_id: Type.String({ maxLength: 64 }),
      ...editBody(options.maxMessageLength).properties,
    }),
  );

  /** The address of a caller who has yet to bring a token; null for one who needs none, or has brought one. */
  const unknownAddress = (request: FastifyRequest): string | null => {
    const { authorization, apiKey } = readCredentials(request.raw.rawHeaders);
    const isKnown = identity.mode === "open" || authorization !== undefined || apiKey !== undefined;
    return isKnown ? null : network(request.ip);
  };

  /** Says with a status what would otherwise be said on the socket. */
  const admit = async (request: FastifyRequest): Promise<void> => {
    const address = unknownAddress(request);
    if (address === null) places.checkKnown();
    else places.checkUnknown(address);
  };

  const takePlace = (socket: WebSocket, caller: Identity | null): void => {
    const giveBack = places.takeKnown(limitedUser(caller));
    telemetry.viewers(1);
    onClose(socket, () => {
      giveBack();
      telemetry.viewers(-1);
    });
  };

  const connect = (socket: WebSocket, request: FastifyRequest): void => {
    const { session_id: sessionId, user_id: userId } = request.query as Record<string, string>;
    const connection = new ChatConnection(
      socket,
      {
        connection: request.raw.socket,
        requestId: request.id,
        traceparent: request.traceparent,
        language: request.language,
        sessionId,
        userId,
        log: request.log,
        auditOf: (caller) =>
          createRequestAudit(options.audit, {
            identity: () => caller,
            action: "GET /chat/ws",
            target: () => ({}),
            requestId: request.id,
            address: request.ip,
            isRepeated: true,
          }),
      },
      { ...options, checkMessage, checkEdit },
    );
    const bytes = countBytes(request.raw.socket, maxUnknownBytes, () => socket.terminate());
    const letIn = async (credentials: Credentials): Promise<Identity | null> => {
      try {
        const caller = await identity.authenticate(credentials);
        if (caller !== null) await identity.authorize(caller, "access_chat_session");
        takePlace(socket, caller);
        const stopWatching = watchAdmission({
          identity: caller,
          credentials,
          log: request.log,
          onRefused: () => connection.refuse(new Problem("unauthorized", { reason: "expired" })),
        });
        onClose(socket, stopWatching);
        bytes.end();
        return caller;
      } catch (error) {
        bytes.begin();
        throw error;
      }
    };
    const address = unknownAddress(request);
    if (address === null) {
      connection.identify(() => letIn(credentialsOf(request)));
      return;
    }
    bytes.begin();
    let leave = () => {};
    try {
      leave = places.takeUnknown(address);
    } catch (error) {
      return connection.refuse(error);
    }
    onClose(socket, leave);
    const timer = setTimeout(
      () => connection.refuse(new Problem("unauthorized", { reason: "missing" })),
      authenticationMs,
    );
    onClose(socket, () => clearTimeout(timer));
    connection.awaitToken(async (token) => {
      clearTimeout(timer);
      const caller = await letIn({ ...token, ...namedUsers(request.raw.rawHeaders) });
      leave();
      return caller;
    });
  };

  return {
    closeAll() {
      isClosing = true;
      for (const socket of open) dismiss(socket, 1001, "the node is shutting down");
    },
    routes: async (app) => {
      await app.register(websocket, {
        options: { maxPayload: maxMessageBytes(options.maxBodyBytes, options.maxUploadBytes) },
        errorHandler: (error: NodeJS.ErrnoException, socket, request) => {
          // What a client or the network does to a connection has a code; anything else is a bug.
          const level = error.code === undefined ? "error" : "debug";
          request.log[level]({ err: error }, "WebSocket broke");
          socket.terminate();
        },
      });

      app.get(
        "/chat/ws",
        {
          websocket: true,
          preValidation: admit,
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
          let isAlive = true;
          socket.on("pong", () => (isAlive = true));
          const heartbeat = setInterval(() => {
            // Of one that is not read from nothing is heard.
            if (!isAlive && !socket.isPaused) return socket.terminate();
            isAlive = false;
            socket.ping();
          }, heartbeatMs);
          socket.once("close", () => {
            clearInterval(heartbeat);
            open.delete(socket);
          });
          if (isClosing) return dismiss(socket, 1001, "the node is shutting down");
          connect(socket, request);
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
            regenerate: "{type, message_id, …as POST /chat/message/{message_id}/regenerate}",
            edit: "{type, message_id, …as POST /chat/message/{message_id}/edit}",
            cancel: "{type, message_id}",
            continue: "{type, message_id, decisions}: as POST /chat/message/{message_id}/continue",
            resume: "{type, message_id, after}",
            subscribe:
              "{type, after, user_id}: what happens to the user's sessions, as GET /sessions/events",
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
            "the events of POST /chat/message/stream with their id as seq, and stream: reply",
            "after subscribe the events of GET /sessions/events with their id as seq, and stream: sessions",
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

/** Calls `release` when the socket has closed, at once if it has already. */
function onClose(socket: WebSocket, release: () => void): void {
  if (socket.readyState === socket.CLOSED) release();
  else socket.once("close", release);
}
