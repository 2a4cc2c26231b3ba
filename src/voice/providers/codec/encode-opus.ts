// The WebAssembly build, not the native one that the package would prefer: the same everywhere.
import { Encoder } from "@evan/opus/wasm/index.mjs";
import {
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacket,
  OggOutputFormat,
  Output,
} from "mediabunny";
import type { PcmAudio } from "../../audio-format.ts";
import { resample } from "../../resample.ts";

const codecRatesHz = [8_000, 12_000, 16_000, 24_000, 48_000] as const;
const frameSeconds = 0.02;
/** Transparent for one voice: 240 KB a minute. */
const goodBitRate = 32_000;
/** Still understood. */
const leastBitRate = 10_000;
/** Of a file; the rest is container. */
const payloadShare = 0.85;
/** OPUS_SET_BITRATE */
const setBitRate = 4002;
/** Samples at 48 kHz that the decoder is to drop: what the encoder looks ahead. */
const preSkip = 312;

/** The identification header of RFC 7845 for one channel. */
function opusHead(inputRateHz: number): Uint8Array {
  const head = new Uint8Array(19);
  const view = new DataView(head.buffer);
  head.set(new TextEncoder().encode("OpusHead"));
  view.setUint8(8, 1);
  view.setUint8(9, 1);
  view.setUint16(10, preSkip, true);
  view.setUint32(12, inputRateHz, true);
  return head;
}

/** An Ogg file with Opus that aims to be no larger than `maxBytes`. */
export async function encodeOpus(audio: PcmAudio, maxBytes?: number): Promise<Uint8Array> {
  const seconds = audio.samples.length / audio.sampleRateHz;
  const fitting = ((maxBytes ?? Number.POSITIVE_INFINITY) * 8 * payloadShare) / seconds;
  const bitRate = Math.floor(Math.max(leastBitRate, Math.min(goodBitRate, fitting)));
  const rateHz = codecRatesHz.find((rate) => rate >= audio.sampleRateHz) ?? 48_000;
  const { samples } = resample(audio, rateHz);
  const frameSamples = rateHz * frameSeconds;
  const encoder = new Encoder({ channels: 1, sample_rate: rateHz, application: "voip" });
  try {
    encoder.ctl(setBitRate, bitRate);
    const target = new BufferTarget();
    const output = new Output({ format: new OggOutputFormat(), target });
    const source = new EncodedAudioPacketSource("opus");
    output.addAudioTrack(source);
    await output.start();
    const decoderConfig = {
      codec: "opus",
      numberOfChannels: 1,
      sampleRate: 48_000,
      description: opusHead(rateHz),
    };
    const frame = new Int16Array(frameSamples);
    for (let index = 0, at = 0; at < Math.max(1, samples.length); index++, at += frameSamples) {
      frame.fill(0).set(samples.subarray(at, at + frameSamples));
      const data = encoder.encode(frame);
      const packet = new EncodedPacket(data, "key", index * frameSeconds, frameSeconds);
      await source.add(packet, index === 0 ? { decoderConfig } : undefined);
    }
    await output.finalize();
    if (!target.buffer) throw new Error("the muxer left no file");
    return new Uint8Array(target.buffer);
  } finally {
    encoder.drop();
  }
}
