import type { PcmAudio } from "./audio-format.ts";

/** What the header of a WAV file says, and where its samples really are. */
export interface WavLayout {
  readonly encoding: "integer" | "float" | "a-law" | "mu-law";
  readonly channels: number;
  readonly sampleRateHz: number;
  readonly bitsPerSample: number;
  readonly dataOffset: number;
  /** Bytes of samples that are there, a whole number of frames. */
  readonly dataBytes: number;
}

const headerBytes = 44;
/** Of chunks before the samples: tags, cue lists, the editor's own. */
const maxChunks = 1_000;
/** Lengths from here on are placeholders of writers that could not know the end. */
const placeholderLength = 0x7fff_0000;

function textAt(view: DataView, offset: number): string {
  return String.fromCharCode(
    view.getUint8(offset),
    view.getUint8(offset + 1),
    view.getUint8(offset + 2),
    view.getUint8(offset + 3),
  );
}

function encodingOf(tag: number, bitsPerSample: number): WavLayout["encoding"] | null {
  if (tag === 1 && [8, 16, 24, 32].includes(bitsPerSample)) return "integer";
  if (tag === 3 && [32, 64].includes(bitsPerSample)) return "float";
  if (tag === 6 && bitsPerSample === 8) return "a-law";
  if (tag === 7 && bitsPerSample === 8) return "mu-law";
  return null;
}

/**
 * Finds the samples of a WAV file. A length that is zero, a placeholder or beyond the end means "to the end": streamed
 * files cannot know theirs, and espeak-ng and several speech servers write nonsense. Null when it is no WAV file, is cut
 * off before its samples, or holds an encoding other than plain numbers, A-law and mu-law.
 */
export function readWavLayout(bytes: Uint8Array): WavLayout | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 20 || textAt(view, 8) !== "WAVE") return null;
  let format: Omit<WavLayout, "dataOffset" | "dataBytes"> | null = null;
  for (const { name, body, length } of chunksOf(view)) {
    if (name === "data") {
      if (!format) return null;
      const available = bytes.length - body;
      const lies = length === 0 || length >= placeholderLength || length > available;
      const frameBytes = (format.channels * format.bitsPerSample) / 8;
      const usable = lies ? available : length;
      return { ...format, dataOffset: body, dataBytes: usable - (usable % frameBytes) };
    }
    if (name === "fmt ") {
      if (body + 16 > bytes.length || length < 16) return null;
      let tag = view.getUint16(body, true);
      // WAVE_FORMAT_EXTENSIBLE: the real tag starts the sub-format.
      if (tag === 0xfffe && length >= 26 && body + 26 <= bytes.length) {
        tag = view.getUint16(body + 24, true);
      }
      const channels = view.getUint16(body + 2, true);
      const sampleRateHz = view.getUint32(body + 4, true);
      const bitsPerSample = view.getUint16(body + 14, true);
      const encoding = encodingOf(tag, bitsPerSample);
      const possible = channels >= 1 && channels <= 32 && sampleRateHz >= 1000;
      if (!encoding || !possible || sampleRateHz > 768_000) return null;
      format = { encoding, channels, sampleRateHz, bitsPerSample };
    }
  }
  return null;
}

function* chunksOf(view: DataView): Generator<{ name: string; body: number; length: number }> {
  let offset = 12;
  for (let count = 0; count < maxChunks && offset + 8 <= view.byteLength; count++) {
    const body = offset + 8;
    const length = view.getUint32(offset + 4, true);
    yield { name: textAt(view, offset), body, length };
    const end = body + length;
    // Chunks are padded to even lengths, but not by all writers: the next one begins where a name does.
    offset = end + (length & 1 && !(isName(view, end) && !isName(view, end + 1)) ? 1 : 0);
  }
}

function isName(view: DataView, offset: number): boolean {
  return offset + 8 <= view.byteLength && /^[\w ]{4}$/.test(textAt(view, offset));
}

/** How long a WAV file with another encoding (ADPCM of a telephone system, …) says it is; null when it does not. */
export function compressedWavDurationMs(bytes: Uint8Array): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 20 || textAt(view, 8) !== "WAVE") return null;
  let [rateHz, bytesPerSecond, frames] = [0, 0, 0];
  for (const { name, body, length } of chunksOf(view)) {
    if (name === "fmt " && body + 16 <= bytes.length) {
      rateHz = view.getUint32(body + 4, true);
      bytesPerSecond = view.getUint32(body + 8, true);
    }
    // Of such files it counts the samples; the rate of bytes is often a guess.
    if (name === "fact" && body + 4 <= bytes.length) frames = view.getUint32(body, true);
    if (name !== "data") continue;
    const guessed = Math.min(length, bytes.length - body) / bytesPerSecond;
    const durationMs = Math.round((frames > 0 ? frames / rateHz : guessed) * 1000);
    return Number.isFinite(durationMs) && durationMs > 0 ? durationMs : null;
  }
  return null;
}

export function wavDurationMs(layout: WavLayout): number {
  const bytesPerSecond = (layout.sampleRateHz * layout.channels * layout.bitsPerSample) / 8;
  return Math.round((layout.dataBytes / bytesPerSecond) * 1000);
}

/** ITU-T G.711, as 16-bit samples. */
function expandALaw(code: number): number {
  const value = code ^ 0x55;
  const exponent = (value >> 4) & 7;
  const mantissa = ((value & 15) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return value & 0x80 ? magnitude : -magnitude;
}

function expandMuLaw(code: number): number {
  const value = ~code & 0xff;
  const magnitude = ((((value & 15) << 3) + 0x84) << ((value >> 4) & 7)) - 0x84;
  return value & 0x80 ? -magnitude : magnitude;
}

function toSample(value: number): number {
  // NaN of a broken float file becomes silence.
  return Math.max(-32_768, Math.min(32_767, Math.round(value * 32_768))) || 0;
}

function sampleReader(view: DataView, layout: WavLayout): (offset: number) => number {
  if (layout.encoding === "a-law") return (offset) => expandALaw(view.getUint8(offset));
  if (layout.encoding === "mu-law") return (offset) => expandMuLaw(view.getUint8(offset));
  if (layout.encoding === "float") {
    return layout.bitsPerSample === 32
      ? (offset) => toSample(view.getFloat32(offset, true))
      : (offset) => toSample(view.getFloat64(offset, true));
  }
  switch (layout.bitsPerSample) {
    case 8:
      return (offset) => (view.getUint8(offset) - 128) << 8;
    case 16:
      return (offset) => view.getInt16(offset, true);
    case 24:
      return (offset) => view.getInt16(offset + 1, true);
    default:
      return (offset) => view.getInt16(offset + 2, true);
  }
}

/** The samples of a WAV file at its own rate, all channels mixed into one. Null as for `readWavLayout`. */
export function readWav(bytes: Uint8Array): PcmAudio | null {
  const layout = readWavLayout(bytes);
  if (!layout) return null;
  const { channels, dataOffset, sampleRateHz } = layout;
  const sampleBytes = layout.bitsPerSample / 8;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = sampleReader(view, layout);
  const samples = new Int16Array(layout.dataBytes / (sampleBytes * channels));
  let offset = dataOffset;
  for (let frame = 0; frame < samples.length; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) {
      sum += read(offset);
      offset += sampleBytes;
    }
    samples[frame] = sum / channels;
  }
  return { samples, sampleRateHz };
}

/**
 * The header of a WAV file with one channel of 16-bit samples. Without a length it is one for a stream whose end nobody
 * knows yet: players read such files to the end.
 */
export function wavHeader(sampleRateHz: number, dataBytes?: number): Uint8Array {
  const header = new Uint8Array(headerBytes);
  const view = new DataView(header.buffer);
  const encoder = new TextEncoder();
  header.set(encoder.encode("RIFF"), 0);
  view.setUint32(4, dataBytes === undefined ? 0xffff_ffff : headerBytes - 8 + dataBytes, true);
  header.set(encoder.encode("WAVEfmt "), 8);
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRateHz, true);
  view.setUint32(28, sampleRateHz * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  header.set(encoder.encode("data"), 36);
  view.setUint32(40, dataBytes === undefined ? 0xffff_ffff : dataBytes, true);
  return header;
}

/** Samples as bytes, little-endian as WAV and bare PCM want them. */
export function samplesToBytes(samples: Int16Array): Uint8Array {
  const bytes = new Uint8Array(samples.length * 2);
  const view = new DataView(bytes.buffer);
  for (const [index, sample] of samples.entries()) view.setInt16(index * 2, sample, true);
  return bytes;
}

/** Little-endian bytes as samples; half a sample at the end is dropped. */
export function bytesToSamples(bytes: Uint8Array): Int16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Int16Array(Math.floor(bytes.length / 2));
  for (let index = 0; index < samples.length; index++) {
    samples[index] = view.getInt16(index * 2, true);
  }
  return samples;
}

export function writeWav(audio: PcmAudio): Uint8Array {
  const data = samplesToBytes(audio.samples);
  const file = new Uint8Array(headerBytes + data.length);
  file.set(wavHeader(audio.sampleRateHz, data.length));
  file.set(data, headerBytes);
  return file;
}
