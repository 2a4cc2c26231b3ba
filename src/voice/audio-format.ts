/** How speech leaves the service, by the names of the OpenAI-compatible contract. `opus` is Opus in Ogg. */
export const audioFormats = ["wav", "mp3", "opus", "aac", "flac", "pcm"] as const;

export type AudioFormat = (typeof audioFormats)[number];

/** The containers in which recordings may arrive. */
export type AudioContainer =
  | "wav"
  | "mp3"
  | "mp4"
  | "ogg"
  | "webm"
  | "flac"
  | "aac"
  | "amr"
  | "caf"
  | "aiff"
  | "mp2"
  | "asf";

/** Speech without a container: one channel of signed 16-bit samples. */
export interface PcmAudio {
  readonly samples: Int16Array;
  readonly sampleRateHz: number;
}

/** What recognisers and the voice activity detector work on. */
export const recognitionRateHz = 16_000;

const formatMediaTypes: Record<AudioFormat, string> = {
  wav: "audio/wav",
  mp3: "audio/mpeg",
  opus: "audio/ogg",
  aac: "audio/aac",
  flac: "audio/flac",
  pcm: "audio/pcm",
};

/** Media type of a format; bare samples also need their rate to be understood. */
export function mediaTypeOf(format: AudioFormat, sampleRateHz?: number | null): string {
  if (format !== "pcm" || !sampleRateHz) return formatMediaTypes[format];
  return `${formatMediaTypes.pcm};rate=${sampleRateHz};channels=1`;
}

const containerFiles: Record<AudioContainer, { extension: string; mediaType: string }> = {
  wav: { extension: "wav", mediaType: "audio/wav" },
  mp3: { extension: "mp3", mediaType: "audio/mpeg" },
  mp4: { extension: "m4a", mediaType: "audio/mp4" },
  ogg: { extension: "ogg", mediaType: "audio/ogg" },
  webm: { extension: "webm", mediaType: "audio/webm" },
  flac: { extension: "flac", mediaType: "audio/flac" },
  aac: { extension: "aac", mediaType: "audio/aac" },
  amr: { extension: "amr", mediaType: "audio/amr" },
  caf: { extension: "caf", mediaType: "audio/x-caf" },
  aiff: { extension: "aiff", mediaType: "audio/aiff" },
  mp2: { extension: "mp2", mediaType: "audio/mpeg" },
  asf: { extension: "wma", mediaType: "audio/x-ms-wma" },
};

/** Extension and media type under which a recording is sent on: speech servers choose the demuxer by them. */
export function fileOf(container: AudioContainer): { extension: string; mediaType: string } {
  return containerFiles[container];
}

export function pcmDurationMs(audio: PcmAudio): number {
  return Math.round((audio.samples.length / audio.sampleRateHz) * 1000);
}

export function isAudioFormat(value: string): value is AudioFormat {
  return (audioFormats as readonly string[]).includes(value);
}
