import { Type, type Static } from "typebox";
import type {
  ConversationLine,
  OpenSpokenConversation,
  SpokenConversation,
} from "../../chat/spoken-conversation.ts";
import { createBodyCheck } from "../../http/validation.ts";
import { Problem } from "../../problems/problem.ts";
import { onBusySchema } from "../../sessions/session-config.ts";
import { pcmDurationMs, recognitionRateHz, type PcmAudio } from "../audio-format.ts";
import { maxStoredAudioBytes, type AudioStore } from "../audio-store.ts";
import type { Voice } from "../create-voice.ts";
import { keepRecording } from "../recordings.ts";
import { voiceUnavailable } from "../unavailable.ts";
import { writeWav } from "../wav.ts";
import { createSoundInput, maxFrameBytes, type SoundInput } from "./sound-input.ts";
import { createSpokenReplies, type SpokenRepliesOptions } from "./spoken-replies.ts";
import { createTurnDetector, type Noticed, type TurnDetector } from "./turn-detector.ts";

export interface VoiceConversationsOptions extends Omit<SpokenRepliesOptions, "send" | "tell"> {
  readonly voice: Voice;
  readonly audio: Pick<AudioStore, "save" | "attach">;
  /** Listened to on this node at a time: each may hold a minute of sound. */
  readonly maxListening: number;
}

const startMessage = Type.Object({
  type: Type.String(),
  sample_rate: Type.Integer({ minimum: 8_000, maximum: 48_000, default: recognitionRateHz }),
  language: Type.Optional(Type.String({ maxLength: 35 })),
  turn_detection: Type.Union([Type.Literal("auto"), Type.Literal("manual")], { default: "auto" }),
  silence_ms: Type.Integer({ minimum: 200, maximum: 3_000, default: 700 }),
  barge_in: Type.Boolean({ default: true }),
  voice_config: Type.Object(
    {
      enable_tts: Type.Boolean({ default: true }),
      voice: Type.Optional(Type.String({ maxLength: 200 })),
      // Whose length is known, and which every engine's speech can be made into.
      format: Type.Union([Type.Literal("opus"), Type.Literal("wav"), Type.Literal("pcm")], {
        default: "opus",
      }),
      speed: Type.Optional(Type.Number({ minimum: 0.25, maximum: 4 })),
    },
    { default: {} },
  ),
  session_id: Type.Optional(Type.String({ maxLength: 64 })),
  user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  agent_id: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  on_busy: Type.Optional(onBusySchema),
});

const positionSchema = Type.Integer({ minimum: 0, maximum: 86_400_000 });
const checkStart = createBodyCheck(startMessage);
const checkPlain = createBodyCheck(Type.Object({ type: Type.String() }));
const checkPlayed = createBodyCheck(
  Type.Object({
    type: Type.String(),
    message_id: Type.String({ maxLength: 64 }),
    played_ms: positionSchema,
    stopped: Type.Boolean({ default: false }),
  }),
);
const checkInterrupt = createBodyCheck(
  Type.Object({
    type: Type.String(),
    message_id: Type.String({ maxLength: 64 }),
    played_ms: Type.Optional(positionSchema),
  }),
);

const maxTurnMs = 60_000;
/** Ended and not yet messages; each holds its sound. */
const maxWaitingTurns = 3;

/** What a client has asked for with `voice_start`. */
interface Listening {
  readonly asked: Static<typeof startMessage>;
  readonly input: SoundInput;
  readonly turns: TurnDetector;
  /** Of the messages made of speech. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** Speech on connections: sound becomes turns, turns become messages, and speaking over a reply stops it. */
export function createVoiceConversations(
  options: VoiceConversationsOptions,
): OpenSpokenConversation {
  let listeners = 0;

  /** Takes a place among those who are listened to; returns what gives it back. */
  function takePlace(): () => void {
    if (listeners >= options.maxListening) throw voiceUnavailable("busy");
    listeners++;
    let isTaken = true;
    return () => {
      if (isTaken) listeners--;
      isTaken = false;
    };
  }

  return (line) => openConversation(options, line, takePlace);
}

function openConversation(
  options: VoiceConversationsOptions,
  line: ConversationLine,
  takePlace: () => () => void,
): SpokenConversation {
  const { voice, audio } = options;
  const spoken = createSpokenReplies({ ...options, send: line.send, tell: line.tell });
  let listening: Listening | null = null;
  let leave = () => {};
  /** That messages go to; the first turn may make one. */
  let { sessionId } = line;
  let utterance = 0;
  let isSpeaking = false;
  let waiting = 0;
  let turn: Promise<void> = Promise.resolve();
  let isOpen = true;

  async function start(message: Readonly<Record<string, unknown>>): Promise<void> {
    const asked = checkStart(message);
    const { voice_config: wish, session_id, user_id, agent_id, on_busy, language } = asked;
    voice.checkRecognition(language);
    voice.style(wish);
    const isSpoken = wish.enable_tts && voice.speech.enabled;
    const body = {
      ...(session_id !== undefined && { session_id }),
      ...(user_id !== undefined && { user_id }),
      ...(agent_id !== undefined && { agent_id }),
      ...(on_busy !== undefined && { on_busy }),
      voice_config: { ...wish, enable_tts: isSpoken, stream_audio: isSpoken },
    };
    await line.check(body);
    stop();
    if (!isOpen) return;
    leave = takePlace();
    sessionId = session_id ?? sessionId;
    listening = {
      asked,
      body,
      input: createSoundInput(asked.sample_rate),
      turns: createTurnDetector({
        detector: voice.detector,
        silenceMs: asked.silence_ms,
        isManual: asked.turn_detection === "manual",
        maxTurnMs,
      }),
    };
    line.send({
      type: "voice_started",
      session_id: sessionId,
      sample_rate: asked.sample_rate,
      language: language ?? null,
      turn_detection: asked.turn_detection,
      silence_ms: asked.silence_ms,
      barge_in: asked.barge_in,
      format: wish.format,
      speech: isSpoken,
      max_frame_bytes: maxFrameBytes,
      max_turn_ms: maxTurnMs,
    });
  }

  function stop(): void {
    listening?.turns.close();
    listening = null;
    isSpeaking = false;
    leave();
  }

  function notice(news: Noticed, to: Listening): void {
    isSpeaking = news.kind === "started";
    if (news.kind === "started") {
      line.send({ type: "speech_started", utterance: ++utterance, at_ms: news.atMs });
      if (to.asked.barge_in) spoken.interruptAll();
      return;
    }
    const { atMs, durationMs, reason } = news;
    line.send({ type: "speech_ended", utterance, at_ms: atMs, duration_ms: durationMs, reason });
    if (news.audio) take(utterance, news.audio, to);
  }

  /** Turns become messages one after the other, in their order. */
  function take(number: number, sound: PcmAudio, to: Listening): void {
    if (waiting >= maxWaitingTurns) {
      line.tell(new Problem("overloaded", {}, { retryAfterSeconds: 1 }), { utterance: number });
      return;
    }
    waiting++;
    turn = turn
      .then(() => answer(number, sound, to))
      .catch((error: unknown) => line.tell(error, { utterance: number }))
      .finally(() => waiting--);
  }

  async function answer(number: number, sound: PcmAudio, to: Listening): Promise<void> {
    // Engines bound their time themselves; what was said is answered also when the connection is gone.
    const { signal } = new AbortController();
    const { text, language, durationMs } = await voice.transcribeSamples(sound, {
      language: to.asked.language,
      signal,
    });
    const heard = { utterance: number, text, language, duration_ms: durationMs };
    line.send({ type: "transcript", ...heard });
    if (text === "") return;
    const { barge_in: isInterrupting } = to.asked;
    // A reply may have begun since: whoever speaks twice in a row waits for no answer to the first.
    if (isInterrupting) spoken.interruptAll();
    // What was interrupted is part of what the agent is told.
    await spoken.settled();
    const recording = await keepRecording(audio, await fileOf(sound, signal), durationMs);
    const state = await line.say({
      body: { ...to.body, ...(sessionId !== null && { session_id: sessionId }), message: text },
      audio: recording.described,
    });
    ({ sessionId } = state);
    if (isInterrupting && isSpeaking) spoken.interruptAll();
    if (recording.audioId !== null) {
      await audio.attach(recording.audioId, state.sessionId, state.userMessageId);
    }
  }

  /** A file of the recording: as Opus where it would be too large to keep. */
  async function fileOf(sound: PcmAudio, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = writeWav(sound);
    const { sampleRateHz } = sound;
    const piece = { format: "wav", sampleRateHz, bytes, durationMs: pcmDurationMs(sound) } as const;
    const file = await voice.join([piece], { maxBytes: maxStoredAudioBytes, signal });
    return file?.bytes ?? bytes;
  }

  return {
    async receive(message) {
      switch (message["type"]) {
        case "voice_start":
          return start(message);
        case "voice_stop":
          checkPlain(message);
          stop();
          return line.send({ type: "voice_stopped" });
        case "voice_commit": {
          checkPlain(message);
          if (!listening) throw notStarted();
          const news = listening.turns.commit();
          if (news) return notice(news, listening);
          // With `auto` the silence was faster.
          if (listening.asked.turn_detection === "auto") return;
          throw new Problem("bad_request", {
            en: "There is no sound that could be a turn.",
            zh: "没有可作为一轮发言的音频。",
          });
        }
        case "played": {
          const { message_id: replyId, played_ms: playedMs, stopped } = checkPlayed(message);
          return spoken.played(replyId, playedMs, stopped);
        }
        case "interrupt": {
          const { message_id: replyId, played_ms: playedMs } = checkInterrupt(message);
          await line.authorize();
          return spoken.interrupt(replyId, playedMs);
        }
      }
    },
    sound(frame) {
      if (!listening) throw notStarted();
      const now = listening;
      const samples = now.input.read(frame);
      if (!now.asked.barge_in && spoken.isActive()) return now.turns.reset();
      for (const news of now.turns.push(samples)) notice(news, now);
    },
    following: spoken.following,
    shown: spoken.shown,
    close() {
      isOpen = false;
      stop();
    },
  };
}

function notStarted(): Problem<"bad_request"> {
  return new Problem("bad_request", {
    en: "Send voice_start and wait for voice_started before sending sound.",
    zh: "发送音频前，请先发送 voice_start 并等待 voice_started。",
  });
}
