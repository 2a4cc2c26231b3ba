import { programEnvironment } from "../config/program-environment.ts";
import type { StorageQuota } from "../attachments/storage-quota.ts";
import type { Config } from "../config/settings.ts";
import type { Database } from "../database/database.ts";
import type { Probe } from "../health/probe.ts";
import type { SpeakReply } from "../replies/making/reply-speech.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { createAudioStore, type AudioStore } from "../voice/audio-store.ts";
import { createVoice, type Voice } from "../voice/create-voice.ts";
import { createVoiceEngines } from "../voice/providers/voice-engines.ts";
import { createSpeakReplies } from "../voice/speak-replies.ts";
import { createStoredReplyAudio, type StoredReplyAudio } from "../voice/stored-reply-audio.ts";

interface VoiceParts {
  readonly voice: Voice;
  readonly store: AudioStore;
  readonly speak: SpeakReply;
  readonly audioResponse: StoredReplyAudio;
  /** Null where there is no speech at all. */
  readonly probe: Probe | null;
}

/** Speech in and out as configured. Throws, in words for the operator, for an engine that cannot work. */
export async function createVoiceParts(
  { voice: settings, limits }: Config,
  database: Database,
  quota: StorageQuota,
  metrics: Metrics,
  logger: Logger,
): Promise<VoiceParts> {
  const environment = programEnvironment();
  const engines = await createVoiceEngines({ settings, environment, logger });
  const voice = await createVoice({
    enabled: settings.enabled,
    engines,
    recognitionLanguage: settings["stt.language"],
    speechLanguage: settings["tts.language"],
    defaultVoice: settings["tts.voice"],
    maxUploadBytes: limits.max_upload_size,
    logger,
    observe: ({ direction, provider, outcome, durationMs }) =>
      metrics.speechDuration.observe({ direction, provider, outcome }, durationMs / 1000),
  });
  const store = createAudioStore(database, settings.retention_hours, quota);
  return {
    voice,
    store,
    speak: createSpeakReplies({ voice, store, logger }),
    audioResponse: createStoredReplyAudio(store),
    probe: voice.recognition.enabled || voice.speech.enabled ? voice.probe : null,
  };
}
