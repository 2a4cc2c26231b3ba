import { Problem } from "../problems/problem.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { SpeechToText } from "./speech-to-text.ts";
import type { TextToSpeech } from "./text-to-speech.ts";

/** The same recogniser, with how long it takes in the metrics. */
export function observeSpeechToText(engine: SpeechToText, metrics: Metrics): SpeechToText {
  return {
    provider: engine.provider,
    languages: engine.languages,
    accepts: engine.accepts,
    transcribe: (recording, options) =>
      timed(metrics, "recognition", engine.provider, options.signal, () =>
        engine.transcribe(recording, options),
      ),
    probe: (signal) => engine.probe(signal),
    close: () => engine.close(),
  };
}

/** The same synthesiser, with the time to its first bytes in the metrics. */
export function observeTextToSpeech(engine: TextToSpeech, metrics: Metrics): TextToSpeech {
  return {
    provider: engine.provider,
    languages: engine.languages,
    formats: engine.formats,
    maxCharacters: engine.maxCharacters,
    streams: engine.streams,
    synthesize: (text, options) =>
      timed(metrics, "synthesis", engine.provider, options.signal, () =>
        engine.synthesize(text, options),
      ),
    voices: (signal) => engine.voices(signal),
    probe: (signal) => engine.probe(signal),
    close: () => engine.close(),
  };
}

async function timed<T>(
  metrics: Metrics,
  direction: "recognition" | "synthesis",
  provider: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const end = metrics.speechDuration.startTimer({ direction, provider });
  try {
    const result = await work();
    end({ outcome: "ok" });
    return result;
  } catch (error) {
    const type = error instanceof Problem ? error.type : "error";
    end({ outcome: signal.aborted ? "cancelled" : type });
    throw error;
  }
}
