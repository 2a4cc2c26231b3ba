import { client } from "../../api/client.ts";
import {
  ApiError,
  isLast,
  type Talk,
  type TalkEvent,
} from "../../../../packages/client/src/index.ts";
import { chosenAgent } from "../../state/catalogue.ts";
import { waitToRetry } from "../../state/connection.ts";
import { conversation, updateConversation } from "../../state/conversation.ts";
import { createStore, type Store } from "../../state/store.ts";
import { syncConversation } from "../../state/sync.ts";
import { speechFormat } from "../speech-settings.ts";
import {
  CannotListen,
  loudness,
  openMicrophone,
  type Deafness,
  type Microphone,
} from "./microphone.ts";
import { createSpeechQueue } from "./speech-queue.ts";

export type TalkPhase =
  | "starting"
  | "listening"
  | "hearing"
  | "understanding"
  | "answering"
  | "speaking"
  | "reconnecting";

export interface TalkState {
  readonly phase: TalkPhase;
  /** What was understood last; empty: nothing was. */
  readonly heard: string | null;
  /** What is being said. */
  readonly said: string | null;
  /** Replies are only written here. */
  readonly isSilent: boolean;
  readonly isMuted: boolean;
  /** Null: it goes on. */
  readonly fault: { readonly reason: Deafness | "refused"; readonly message: string } | null;
}

export interface TalkSession {
  readonly state: Store<TalkState>;
  /** How loud it is, from 0 to 1. */
  readonly level: Store<number>;
  mute(isMuted: boolean): void;
  /** A stop button: silence, and the reply is stopped where it was heard to. */
  interrupt(): void;
  close(): void;
}

/** A reply that is not over yet, for a new connection to go on with. */
interface Running {
  readonly messageId: string;
  seq: number;
}

const firstState: TalkState = {
  phase: "starting",
  heard: null,
  said: null,
  isSilent: false,
  isMuted: false,
  fault: null,
};

/** Talks with the open conversation until it is closed, over lost connections too. */
export function startTalk(): TalkSession {
  const state = createStore(firstState);
  const level = createStore(0);
  const closing = new AbortController();
  const { signal } = closing;
  let microphone: Microphone | null = null;
  let talk: Talk | null = null;
  let isListening = false;
  let running: Running | null = null;

  const update = (change: Partial<TalkState>) => {
    if (!signal.aborted) state.set((before) => ({ ...before, ...change }));
  };
  const rest = (): TalkPhase =>
    speech.speaking() !== null ? "speaking" : running === null ? "listening" : "answering";
  const speech = createSpeechQueue({
    onPlayed: (...played) => talk?.played(...played),
    onPiece: (piece) => {
      update(
        piece === null ? { said: null, phase: rest() } : { said: piece.text, phase: "speaking" },
      );
    },
  });
  const onSound = (samples: Int16Array) => {
    const { isMuted } = state.get();
    level.set(isMuted ? 0 : loudness(samples));
    // Silence is sent too: it ends a turn.
    if (isListening) talk?.sound(isMuted ? new Int16Array(samples.length) : samples);
  };
  const close = () => {
    closing.abort();
    speech.close();
    talk?.close();
    microphone?.close();
  };
  const fail = (error: unknown) => {
    const reason = error instanceof CannotListen ? error.reason : "refused";
    update({ fault: { reason, message: error instanceof Error ? error.message : String(error) } });
    close();
  };

  const take = (event: TalkEvent) => {
    switch (event.type) {
      case "voice_started":
        isListening = true;
        update({ isSilent: !event.speech, phase: rest() });
        if (running !== null) talk?.resume(running.messageId, running.seq);
        return;
      case "speech_started":
        return update({ phase: "hearing" });
      case "speech_ended":
        return update({ phase: event.reason === "noise" ? rest() : "understanding" });
      case "transcript":
        return update({ heard: event.text, phase: event.text === "" ? rest() : "answering" });
      case "stop_playback":
        speech.stop(event.message_id);
        return;
      case "playback_interrupted":
        if (running?.messageId === event.message_id) running = null;
        void syncConversation();
        return;
      case "voice_stopped":
        return;
      default:
        if ("stream" in event) takeReply(event);
        else if (event.type === "error") update({ heard: event.error, phase: rest() });
    }
  };
  const takeReply = (event: Extract<TalkEvent, { stream: "reply" }>) => {
    if (event.type === "user_message") {
      // What was said is in the conversation from now on, which may only begin with it.
      if (conversation.get().sessionId === null) {
        updateConversation({ sessionId: event.session_id, state: "ready" });
      }
      void syncConversation();
      running = { messageId: event.message_id, seq: event.seq };
    } else if (running?.messageId === event.message_id) running.seq = event.seq;
    if (event.type === "audio_chunk") {
      const bytes = Uint8Array.from(atob(event.data), (character) => character.charCodeAt(0));
      speech.put({
        messageId: event.message_id,
        text: event.text,
        sound: new Blob([bytes], { type: event.format === "wav" ? "audio/wav" : "audio/ogg" }),
        startMs: event.start_ms,
      });
    }
    if (!isLast(event) && event.type !== "paused") return;
    if (running?.messageId === event.message_id) running = null;
    update({ phase: rest() });
    void syncConversation();
  };

  const run = async () => {
    microphone = await openMicrophone(onSound, () => fail(new CannotListen("lost")));
    if (signal.aborted) return microphone.close();
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const { sessionId } = conversation.get();
      const agentId = chosenAgent.get();
      talk = client.voice.talk({
        sample_rate: microphone.sampleRate,
        voice_config: { format: speechFormat },
        ...(sessionId !== null && { session_id: sessionId }),
        ...(sessionId === null && agentId !== "" && { agent_id: agentId }),
        signal,
      });
      try {
        for await (const event of talk) {
          attempt = 0;
          take(event);
        }
      } catch (error) {
        if (error instanceof ApiError && error.status < 500 && error.status !== 429) throw error;
        if (error instanceof ApiError && error.type === "voice_unavailable") throw error;
      }
      isListening = false;
      if (signal.aborted) return;
      update({ phase: "reconnecting" });
      await waitToRetry(attempt, signal);
    }
  };
  run().catch((error: unknown) => {
    if (!signal.aborted) fail(error);
  });
  return {
    state,
    level,
    mute: (isMuted) => update({ isMuted }),
    interrupt: () => {
      const messageId = speech.speaking() ?? running?.messageId;
      if (messageId === undefined) return;
      const playedMs = speech.stop(messageId);
      talk?.interrupt(messageId, playedMs ?? undefined);
    },
    close,
  };
}
