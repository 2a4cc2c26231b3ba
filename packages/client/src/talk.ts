import type { ReplyEvent } from "./api-types.ts";
import { ApiError, ConnectionError } from "./errors.ts";
import type { Transport } from "./transport.ts";

/** How to listen and to answer; all of it as `voice_start` takes it. */
export interface TalkOptions {
  readonly session_id?: string;
  readonly user_id?: string;
  readonly agent_id?: string;
  /** Of the sound that is sent, in Hz. */
  readonly sample_rate?: number;
  readonly language?: string;
  readonly turn_detection?: "auto" | "manual";
  readonly silence_ms?: number;
  readonly barge_in?: boolean;
  readonly on_busy?: string;
  readonly voice_config?: {
    readonly enable_tts?: boolean;
    readonly voice?: string;
    readonly speed?: number;
    readonly format?: "opus" | "wav" | "pcm";
  };
  /** Ends the conversation. */
  readonly signal?: AbortSignal;
}

interface Utterance {
  readonly utterance: number;
}

/** What the service tells in a spoken conversation. */
export type TalkEvent =
  | (ReplyEvent & { readonly seq: number; readonly stream: "reply" })
  | {
      readonly type: "voice_started";
      readonly session_id: string | null;
      readonly sample_rate: number;
      readonly speech: boolean;
      readonly format: string;
      readonly max_frame_bytes: number;
      readonly max_turn_ms: number;
    }
  | ({ readonly type: "speech_started"; readonly at_ms: number } & Utterance)
  | ({
      readonly type: "speech_ended";
      readonly at_ms: number;
      readonly duration_ms: number;
      readonly reason: "silence" | "commit" | "too_long" | "noise";
    } & Utterance)
  | ({
      readonly type: "transcript";
      readonly text: string;
      readonly language: string | null;
      readonly duration_ms: number;
    } & Utterance)
  | ({
      readonly type: "error";
      readonly error: string;
      readonly error_type: string;
      readonly code: number;
    } & Utterance)
  | { readonly type: "stop_playback"; readonly message_id: string }
  | {
      readonly type: "playback_interrupted";
      readonly message_id: string;
      readonly session_id: string;
      readonly played_ms: number;
      readonly spoken: string;
      readonly unspoken: string;
    }
  | { readonly type: "voice_stopped" };

/** A spoken conversation. What the service tells comes in a loop over it, which ends with the conversation. */
export interface Talk extends AsyncIterable<TalkEvent> {
  /** Signed 16-bit samples, one channel, at `sample_rate`; silence too. Not before `voice_started`. */
  sound(samples: Int16Array): void;
  /** The turn is over now. */
  commit(): void;
  /** How far into the speech of a reply the listener is. */
  played(messageId: string, playedMs: number, isStopped?: boolean): void;
  /** A stop button. */
  interrupt(messageId: string, playedMs?: number): void;
  /** Goes on with a reply that another connection has lost. */
  resume(messageId: string, after: number): void;
  close(): void;
}

/** Begins to listen. Raises ConnectionError where there is no WebSocket. */
export function talk(transport: Transport, { signal, ...start }: TalkOptions = {}): Talk {
  const { WebSocket: Socket } = transport;
  if (Socket === undefined) {
    throw new ConnectionError(
      "This runtime has no WebSocket: give one to the client (ws, Node 22)",
    );
  }
  const events: TalkEvent[] = [];
  let wake = () => {};
  let fault: Error | null = null;
  let isClosed = false;
  let socket: WebSocket | null = null;
  const end = (error: Error | null = null) => {
    if (!isClosed) fault = error;
    isClosed = true;
    signal?.removeEventListener("abort", close);
    socket?.close();
    wake();
  };
  const close = () => end();
  const say = (message: object) => {
    if (socket?.readyState === 1) socket.send(JSON.stringify(message));
  };
  const hear = (told: { readonly type: string; readonly [name: string]: unknown }) => {
    // Known by now, or in no need of it.
    if (told.type === "connection_established") return say({ type: "voice_start", ...start });
    if (told.type === "pong") return;
    // A turn that could not become a message ends nothing else.
    const isOfTurn = told["stream"] === "reply" || told["utterance"] !== undefined;
    if (told.type === "error" && !isOfTurn) return end(faultOf(told));
    events.push(told as unknown as TalkEvent);
    wake();
  };
  const open = async (token: string | null | undefined, isFresh = false) => {
    const userId = start.user_id ?? (await transport.userId());
    if (isClosed) return;
    const query = { session_id: start.session_id, user_id: userId };
    const url = transport.url("/chat/ws", query).replace(/^http/, "ws");
    const { location } = globalThis as unknown as { readonly location?: { href: string } };
    const own = new Socket(new URL(url, location?.href.replace(/^http/, "ws")));
    socket = own;
    let isLetIn = false;
    own.addEventListener("open", () => {
      // No header can be sent everywhere. As over HTTP, a token is looked at before a key.
      const credential = token || transport.apiKey;
      if (credential) say({ type: "auth", token: credential });
    });
    own.addEventListener("message", ({ data }) => {
      const told = JSON.parse(String(data)) as { readonly type: string; readonly code?: unknown };
      isLetIn ||= told.type === "connection_established";
      if (isLetIn || isFresh || told.code !== 401) return hear(told);
      // The service closes the connection on which it refuses.
      socket = null;
      reopen(token, faultOf(told)).catch(fail);
    });
    own.addEventListener("close", () => {
      if (own === socket) end(new ConnectionError("The spoken conversation was cut off"));
    });
  };
  const reopen = async (refused: string | null | undefined, why: ApiError) => {
    const fresh = await transport.freshToken(refused);
    if (fresh === null) throw why;
    await open(fresh, true);
  };
  const fail = (error: unknown) => end(error as Error);
  signal?.addEventListener("abort", close);
  if (signal?.aborted === true) close();
  else (async () => open(await transport.token()))().catch(fail);
  return {
    sound: (samples) => {
      if (socket?.readyState === 1) socket.send(samples as Int16Array<ArrayBuffer>);
    },
    commit: () => say({ type: "voice_commit" }),
    played: (messageId, playedMs, isStopped = false) =>
      say({
        type: "played",
        message_id: messageId,
        played_ms: playedMs,
        ...(isStopped && { stopped: true }),
      }),
    interrupt: (messageId, playedMs) =>
      say({ type: "interrupt", message_id: messageId, played_ms: playedMs }),
    resume: (messageId, after) => say({ type: "resume", message_id: messageId, after }),
    close,
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          yield* events.splice(0);
          if (fault !== null) throw fault;
          if (isClosed) return;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        close();
      }
    },
  };
}

function faultOf(told: Readonly<Record<string, unknown>>): ApiError {
  const { error, code, error_type: type } = told;
  return new ApiError(String(error), {
    status: Number(code),
    type: String(type),
    details: [],
    requestId: null,
    retryAfterSeconds: null,
  });
}
