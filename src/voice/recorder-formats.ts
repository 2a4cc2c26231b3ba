import type { AudioContainer } from "./audio-format.ts";

/** What a file of a phone or a recorder says of itself, without decoding; null: nothing usable. */
export interface RecorderFile {
  readonly codec: string;
  readonly durationMs: number;
}

/** Reads the files that the demuxer does not know: AMR, CAF, AIFF, MP2, Windows Media, and Ogg with Speex or FLAC. */
export function inspectRecorderFile(
  container: AudioContainer,
  bytes: Uint8Array,
): RecorderFile | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    switch (container) {
      case "amr":
        return inspectAmr(bytes);
      case "caf":
        return inspectCaf(view);
      case "aiff":
        return inspectAiff(view);
      case "ogg":
        return inspectOgg(view);
      case "mp2":
        return inspectMp2(view);
      case "asf":
        return inspectAsf(view);
      default:
        return null;
    }
  } catch (error) {
    // Read beyond the end: it was cut off.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function textAt(view: DataView, offset: number, length = 4): string {
  return String.fromCharCode(
    ...Array.from({ length }, (_, index) => view.getUint8(offset + index)),
  );
}

function file(codec: string, seconds: number): RecorderFile | null {
  const durationMs = Math.round(seconds * 1000);
  return Number.isFinite(seconds) && durationMs > 0 ? { codec, durationMs } : null;
}

/** Bytes of a frame of 20 ms after its first, by frame type (RFC 4867, 3GPP TS 26.101 and 26.201). */
const narrowFrames = [12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5, 0, 0, 0, 0];
const wideFrames = [17, 23, 32, 36, 40, 46, 50, 58, 60, 5, 0, 0, 0, 0, 0, 0];

function inspectAmr(bytes: Uint8Array): RecorderFile | null {
  const start = String.fromCharCode(...bytes.subarray(0, 9));
  const wide = start === "#!AMR-WB\n";
  if (!wide && !start.startsWith("#!AMR\n")) return null;
  let frames = 0;
  for (let at = wide ? 9 : 6; at < bytes.length; frames++) {
    const type = ((bytes[at] ?? 0) >> 3) & 15;
    at += 1 + ((wide ? wideFrames : narrowFrames)[type] ?? 0);
  }
  return file(wide ? "amr-wb" : "amr", frames * 0.02);
}

function inspectCaf(view: DataView): RecorderFile | null {
  let format: {
    codec: string;
    rate: number;
    bytesPerPacket: number;
    framesPerPacket: number;
  } | null = null;
  let frames = 0;
  let dataBytes = 0;
  for (let at = 8; at + 12 <= view.byteLength;) {
    const name = textAt(view, at);
    const length = Number(view.getBigInt64(at + 4));
    const body = at + 12;
    if (name === "desc") {
      format = {
        rate: view.getFloat64(body),
        codec: textAt(view, body + 8).trim(),
        bytesPerPacket: view.getUint32(body + 16),
        framesPerPacket: view.getUint32(body + 20),
      };
    }
    if (name === "pakt") frames = Number(view.getBigInt64(body + 8));
    // -1: to the end. Its first four bytes count edits.
    if (name === "data") dataBytes = (length < 0 ? view.byteLength - body : length) - 4;
    if (length < 0) break;
    at = body + length;
  }
  if (!format) return null;
  const counted = (dataBytes / format.bytesPerPacket) * format.framesPerPacket;
  return file(format.codec, (frames || counted) / format.rate);
}

function inspectAiff(view: DataView): RecorderFile | null {
  const isPlain = textAt(view, 8) === "AIFF";
  for (let at = 12; at + 8 <= view.byteLength;) {
    const length = view.getUint32(at + 4);
    const body = at + 8;
    if (textAt(view, at) === "COMM") {
      const frames = view.getUint32(body + 2);
      // An 80-bit float whose fraction has 64 bits.
      const exponent = (view.getUint16(body + 8) & 0x7fff) - 16_383;
      const rate = view.getUint32(body + 10) * 2 ** (exponent - 31);
      return file(isPlain ? "pcm" : textAt(view, body + 18).trim(), frames / rate);
    }
    at = body + length + (length & 1);
  }
  return null;
}

/** Kilobits a second of layer 2 by a frame's number for it, of MPEG-1 and of its halved sample rates (ISO 11172-3, 13818-3). */
const bitRates = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const halvedBitRates = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const mpegRates = [44_100, 48_000, 32_000];

/** By its frames, of 1,152 samples each; a tag in front and one behind them are none. */
function inspectMp2(view: DataView): RecorderFile | null {
  let seconds = 0;
  for (let at = 0; at + 4 <= view.byteLength;) {
    const head = view.getUint32(at);
    const kilobits = ((head >>> 19) & 1 ? bitRates : halvedBitRates)[(head >>> 12) & 15];
    const rate = (mpegRates[(head >>> 10) & 3] ?? 0) / ((head >>> 19) & 1 ? 1 : 2);
    if (head >>> 21 !== 0x7ff || ((head >>> 17) & 3) !== 2 || !kilobits || rate === 0) {
      at += 1;
      continue;
    }
    seconds += 1_152 / rate;
    at += Math.floor((144_000 * kilobits) / rate) + ((head >>> 9) & 1);
  }
  return file("mp2", seconds);
}

/** The File Properties object tells the length, with what a player gathers before it begins. */
function inspectAsf(view: DataView): RecorderFile | null {
  for (let at = 30; at + 24 <= view.byteLength;) {
    const length = Number(view.getBigUint64(at + 16, true));
    if (view.getUint32(at) === 0xa1dcab8c) {
      const played = Number(view.getBigUint64(at + 64, true)) / 1e7;
      return file("wma", played - Number(view.getBigUint64(at + 80, true)) / 1e3);
    }
    // None is shorter than its own head.
    if (length < 24) return null;
    at += length;
  }
  return null;
}

/** By its first packet and the position that its last page tells. */
function inspectOgg(view: DataView): RecorderFile | null {
  const body = 27 + view.getUint8(26);
  const isSpeex = textAt(view, body, 8) === "Speex   ";
  if (!isSpeex && textAt(view, body, 5) !== "\u007fFLAC") return null;
  const rate = isSpeex
    ? view.getUint32(body + 36, true)
    : (view.getUint16(body + 27) << 4) | (view.getUint8(body + 29) >> 4);
  for (let at = view.byteLength - 27; at >= 0; at--) {
    if (view.getUint8(at) !== 0x4f || textAt(view, at) !== "OggS") continue;
    return file(isSpeex ? "speex" : "flac", Number(view.getBigInt64(at + 6, true)) / rate);
  }
  return null;
}
