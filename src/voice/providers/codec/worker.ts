import {
  ADTS,
  BufferSource,
  EncodedPacketSink,
  FLAC,
  Input,
  MATROSKA,
  MP3,
  MP4,
  OGG,
  QTFF,
  WEBM,
} from "mediabunny";
import { OpusDecoder } from "opus-decoder";
import { recognitionRateHz, type AudioContainer, type PcmAudio } from "../../audio-format.ts";
import { inspectRecorderFile } from "../../recorder-formats.ts";
import { resample } from "../../resample.ts";
import { compressedWavDurationMs, readWav, readWavLayout, wavDurationMs } from "../../wav.ts";
import { serveRequests } from "../serve-requests.ts";
import { encodeOpus } from "./encode-opus.ts";
import { hasHonestTables } from "./mp4-tables.ts";

export type CodecRequest =
  | { readonly kind: "inspect"; readonly container: AudioContainer; readonly bytes: Uint8Array }
  | {
      readonly kind: "decode";
      readonly container: AudioContainer;
      readonly bytes: Uint8Array;
      readonly maxDurationMs: number;
    }
  | {
      readonly kind: "encode";
      readonly audio: PcmAudio;
      readonly maxBytes: number | undefined;
    };

export type CodecResponse =
  | { readonly kind: "info"; readonly codec: string | null; readonly durationMs: number }
  | { readonly kind: "pcm"; readonly audio: PcmAudio }
  | { readonly kind: "file"; readonly bytes: Uint8Array }
  /** The file is at fault: cut off, without sound, or not what it seems. */
  | { readonly kind: "corrupt" }
  /** A codec that this cannot decode. */
  | { readonly kind: "unsupported"; readonly codec: string | null };

function openInput(bytes: Uint8Array): Input {
  return new Input({
    source: new BufferSource(bytes),
    formats: [WEBM, MATROSKA, OGG, MP4, QTFF, MP3, FLAC, ADTS],
  });
}

/** Files are untrusted: whatever the demuxer makes of a broken one, it is the file that is at fault. */
async function judged(work: () => Promise<CodecResponse>): Promise<CodecResponse> {
  try {
    return await work();
  } catch {
    return { kind: "corrupt" };
  }
}

async function inspect(container: AudioContainer, bytes: Uint8Array): Promise<CodecResponse> {
  if (container === "wav") {
    const layout = readWavLayout(bytes);
    if (!layout) {
      const durationMs = compressedWavDurationMs(bytes);
      return durationMs === null
        ? { kind: "unsupported", codec: null }
        : { kind: "info", codec: null, durationMs };
    }
    if (layout.dataBytes === 0) return { kind: "corrupt" };
    return { kind: "info", codec: "pcm", durationMs: wavDurationMs(layout) };
  }
  if (container === "mp4" && !hasHonestTables(bytes)) return { kind: "corrupt" };
  const recorded = inspectRecorderFile(container, bytes);
  if (recorded) return { kind: "info", ...recorded };
  if (isRecorders(container)) return { kind: "corrupt" };
  using input = openInput(bytes);
  const track = await input.getPrimaryAudioTrack();
  if (!track) return { kind: "corrupt" };
  // By its packets: live recordings have no duration in their header.
  const [first, end] = [await track.getFirstTimestamp(), await track.computeDuration()];
  const durationMs = Math.round((end - Math.max(0, first)) * 1000);
  if (!(durationMs > 0)) return { kind: "corrupt" };
  return { kind: "info", codec: await track.getCodec(), durationMs };
}

/** Of phones and recorders; nothing here decodes them. */
function isRecorders(container: AudioContainer): boolean {
  return ["amr", "caf", "aiff", "mp2", "asf"].includes(container);
}

async function decodeOpus(bytes: Uint8Array, maxSamples: number): Promise<CodecResponse> {
  using input = openInput(bytes);
  const track = await input.getPrimaryAudioTrack();
  if (!track) return { kind: "corrupt" };
  const codec = await track.getCodec();
  const channels = await track.getNumberOfChannels();
  if (codec !== "opus" || channels > 2) return { kind: "unsupported", codec };
  const decoder = new OpusDecoder({ sampleRate: recognitionRateHz, channels });
  await decoder.ready;
  let samples = new Int16Array(recognitionRateHz * 10);
  let length = 0;
  let broken = 0;
  let packets = 0;
  try {
    for await (const packet of new EncodedPacketSink(track).packets()) {
      packets++;
      const decoded = decoder.decodeFrame(packet.data);
      broken += decoded.errors.length;
      if (length + decoded.samplesDecoded > samples.length) {
        const larger = new Int16Array(samples.length * 2);
        larger.set(samples);
        samples = larger;
      }
      const [left, right] = decoded.channelData;
      for (let index = 0; index < decoded.samplesDecoded; index++) {
        const first = left?.[index] ?? 0;
        const mixed = (first + (right?.[index] ?? first)) / 2;
        samples[length++] = Math.max(-32_768, Math.min(32_767, Math.round(mixed * 32_768)));
      }
      if (length >= maxSamples) break;
    }
  } finally {
    decoder.free();
  }
  if (length === 0 || broken > packets / 2) return { kind: "corrupt" };
  const audio = {
    samples: samples.slice(0, Math.min(length, maxSamples)),
    sampleRateHz: recognitionRateHz,
  };
  return { kind: "pcm", audio };
}

async function decode(
  container: AudioContainer,
  bytes: Uint8Array,
  maxDurationMs: number,
): Promise<CodecResponse> {
  const maxSamples = Math.floor((recognitionRateHz * maxDurationMs) / 1000);
  if (container === "mp4" && !hasHonestTables(bytes)) return { kind: "corrupt" };
  const recorded = inspectRecorderFile(container, bytes);
  if (recorded || isRecorders(container)) {
    return { kind: "unsupported", codec: recorded?.codec ?? null };
  }
  if (container !== "wav") return decodeOpus(bytes, maxSamples);
  const audio = readWav(bytes);
  if (!audio) return { kind: "unsupported", codec: null };
  if (audio.samples.length === 0) return { kind: "corrupt" };
  const kept = Math.floor((audio.sampleRateHz * maxDurationMs) / 1000);
  const cut = { ...audio, samples: audio.samples.subarray(0, kept) };
  const { samples, sampleRateHz } = resample(cut, recognitionRateHz);
  return { kind: "pcm", audio: { samples: samples.slice(), sampleRateHz } };
}

async function handle(request: CodecRequest): Promise<CodecResponse> {
  switch (request.kind) {
    case "inspect":
      return judged(() => inspect(request.container, request.bytes));
    case "decode":
      return judged(() => decode(request.container, request.bytes, request.maxDurationMs));
    case "encode":
      return { kind: "file", bytes: await encodeOpus(request.audio, request.maxBytes) };
  }
}

serveRequests(handle, (response) => {
  if (response.kind === "pcm") return [response.audio.samples.buffer as ArrayBuffer];
  if (response.kind === "file") return [response.bytes.buffer as ArrayBuffer];
  return [];
});
