import { serviceConfig } from "../state/catalogue.ts";
import { createSavedStore } from "../state/saved.ts";
import type { ServiceConfig, VoiceConfig } from "../api/types.ts";

/** Whether replies are to be spoken. */
export const wantsSpeech = createSavedStore<boolean>(
  "speech",
  false,
  (value): value is boolean => typeof value === "boolean",
);

export function canSpeak(config: ServiceConfig | null): boolean {
  return config?.features["synthesis_enabled"] === true;
}

/** Whether it is worth talking to: what else may be missing is told to whoever tries. */
export function canUnderstand(config: ServiceConfig | null): boolean {
  return config?.features["transcription_enabled"] === true;
}

/** The service understands speech, and this browser can record it: that takes HTTPS, or this very machine. */
export function canListen(config: ServiceConfig | null): boolean {
  return (
    canUnderstand(config) &&
    "MediaRecorder" in window &&
    (navigator as Partial<Navigator>).mediaDevices !== undefined
  );
}

/** Streams keep Opus for many minutes of speech, WAV for half a minute; not every browser plays Opus in Ogg. */
export const speechFormat: "opus" | "wav" =
  new Audio().canPlayType('audio/ogg; codecs="opus"') === "" ? "wav" : "opus";

/** `voice_config` for a message written now. Null: its reply is not spoken. */
export function voiceConfig(): VoiceConfig | null {
  return wantsSpeech.get() && canSpeak(serviceConfig.get())
    ? { enable_tts: true, stream_audio: true, format: speechFormat }
    : null;
}
