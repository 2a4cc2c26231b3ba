import type { Logger } from "../telemetry/logger.ts";
import type { AudioDecoder } from "./audio-decoder.ts";
import type { AudioEncoder } from "./audio-encoder.ts";
import { audioFormats, type AudioFormat } from "./audio-format.ts";
import type { SpeechWork } from "./engine-fallback.ts";
import { createJoinSpeech, type JoinOptions } from "./join-speech.ts";
import { createRecognition, type Recognition } from "./recognition.ts";
import { createReplySpeaker, type ReplySpeaker } from "./reply-speaker.ts";
import { speakText } from "./speak-text.ts";
import type { SpeechHealth, SpeechToText } from "./speech-to-text.ts";
import {
  createSynthesis,
  type SpeechPiece,
  type SpeechStyle,
  type Synthesis,
} from "./synthesis.ts";
import type { Speech, TextToSpeech, VoiceDescription } from "./text-to-speech.ts";
import type { MissingPart } from "./missing-part.ts";
import type { VoiceActivityDetector } from "./voice-activity-detector.ts";

/** What stands behind the ports, in the order of preference. */
export interface VoiceEngines {
  readonly speechToText: readonly SpeechToText[];
  readonly textToSpeech: readonly TextToSpeech[];
  readonly decoder: AudioDecoder;
  readonly encoder: AudioEncoder;
  readonly detector: VoiceActivityDetector;
  /** Told to operators. */
  readonly missing: readonly MissingPart[];
  /** Releases what the engines share; they themselves are closed before. May be called twice. */
  close(): Promise<void>;
}

export interface VoiceOptions {
  /** False: there are no engines, and callers are told why. */
  readonly enabled: boolean;
  readonly engines: VoiceEngines;
  /** Language of recordings when the caller names none. */
  readonly recognitionLanguage: string | null;
  /** Language of texts that do not show theirs. */
  readonly speechLanguage: string | null;
  /** Voice when the caller names none, for `voices`. */
  readonly defaultVoice: string | null;
  readonly maxUploadBytes: number;
  readonly logger: Logger;
  /** Told of each engine's work, for metrics. */
  readonly observe?: (work: SpeechWork) => void;
}

/** What one direction can do. */
export interface VoiceCapability {
  readonly enabled: boolean;
  readonly providers: readonly string[];
  /** Primary tags, or `any`. */
  readonly languages: readonly string[] | "any";
}

/** Speech in and out, whatever engines do it. */
export interface Voice
  extends Pick<Recognition, "transcribe" | "transcribeSamples">, Pick<Synthesis, "style"> {
  /** See `Recognition.check`. */
  readonly checkRecognition: Recognition["check"];
  readonly recognition: VoiceCapability;
  readonly speech: VoiceCapability;
  /** What speech can be had in. */
  readonly formats: readonly AudioFormat[];
  readonly detector: VoiceActivityDetector;
  /** Speech of a text that is all there; see `speakText`. */
  speak(text: string, options: { style: SpeechStyle; signal: AbortSignal }): Promise<Speech>;
  /** Speech of a text that is being written; see `ReplySpeaker`. `language`: of the caller, where none is configured. */
  speaker(options: { style: SpeechStyle; signal: AbortSignal; language?: string }): ReplySpeaker;
  /** One file of all pieces; see `createJoinSpeech`. */
  join(pieces: readonly SpeechPiece[], options: JoinOptions): Promise<SpeechPiece | null>;
  /** `default` is what callers get who name none; null when there is no speech or the engine decides. */
  voices(
    signal: AbortSignal,
  ): Promise<{ voices: readonly VoiceDescription[]; default: string | null }>;
  /** Asks every engine, side by side; healthy as long as each direction has one that works. */
  probe(signal: AbortSignal): Promise<SpeechHealth>;
  /** Ends what runs. May be called twice. */
  close(): Promise<void>;
}

export async function createVoice(options: VoiceOptions): Promise<Voice> {
  const { enabled, engines, logger, observe = () => {} } = options;
  const { decoder, encoder, detector } = engines;
  const speechToText = enabled ? engines.speechToText : [];
  const textToSpeech = enabled ? engines.textToSpeech : [];
  const speechLanguage = options.speechLanguage ?? "en";
  const recognition = createRecognition({
    engines: speechToText,
    decoder,
    detector,
    language: options.recognitionLanguage,
    maxBytes: options.maxUploadBytes,
    absence: enabled ? "recognition" : "off",
    logger,
    observe,
  });
  const synthesis = await createSynthesis({
    engines: textToSpeech,
    decoder,
    encoder,
    absence: enabled ? "synthesis" : "off",
    logger,
    observe,
  });

  return {
    recognition: capability(speechToText),
    speech: capability(textToSpeech),
    formats: formatsOf(textToSpeech, encoder),
    detector,
    checkRecognition: recognition.check,
    transcribe: recognition.transcribe,
    transcribeSamples: recognition.transcribeSamples,
    style: synthesis.style,
    speak: (text, { style, signal }) =>
      speakText({ synthesis, encoder }, text, { style, signal, language: speechLanguage }),
    speaker: ({ style, signal, language }) =>
      createReplySpeaker({
        synthesis,
        style,
        signal,
        language: options.speechLanguage ?? language ?? "en",
      }),
    join: createJoinSpeech({ decoder, encoder }),
    async voices(signal) {
      const voices = await synthesis.voices(signal);
      const named = voices.find(({ id }) => id === options.defaultVoice)?.id;
      return { voices, default: named ?? options.defaultVoice ?? voices[0]?.id ?? null };
    },
    async probe(signal) {
      const [heard, spoken] = await Promise.all([
        probeAll(speechToText, signal),
        probeAll(textToSpeech, signal),
      ]);
      const works = (direction: readonly SpeechHealth[]) =>
        direction.length === 0 || direction.some(({ status }) => status === "healthy");
      return {
        status: works(heard) && works(spoken) ? "healthy" : "unhealthy",
        details: { recognition: heard, synthesis: spoken, missing: engines.missing },
      };
    },
    async close() {
      await Promise.all(
        [...engines.speechToText, ...engines.textToSpeech].map((each) => each.close()),
      );
      await engines.close();
    },
  };
}

function probeAll(
  engines: readonly (SpeechToText | TextToSpeech)[],
  signal: AbortSignal,
): Promise<SpeechHealth[]> {
  return Promise.all(engines.map((engine) => engine.probe(signal)));
}

/** Bare samples are made from WAV, and the encoder's formats too. */
function formatsOf(engines: readonly TextToSpeech[], encoder: AudioEncoder): AudioFormat[] {
  const own = new Set(engines.flatMap(({ formats }) => formats));
  const made = new Set(own.has("wav") ? ["pcm", ...encoder.formats] : []);
  return audioFormats.filter((format) => own.has(format) || made.has(format));
}

function capability(engines: readonly (SpeechToText | TextToSpeech)[]): VoiceCapability {
  const every = engines.some(({ languages }) => languages === "any");
  const languages = engines.flatMap((engine) =>
    engine.languages === "any" ? [] : engine.languages,
  );
  return {
    enabled: engines.length > 0,
    providers: engines.map(({ provider }) => provider),
    languages: every ? "any" : [...new Set(languages)],
  };
}
