import type { AudioContainer, AudioFormat } from "./audio-format.ts";

function hasText(bytes: Uint8Array, offset: number, text: string): boolean {
  if (bytes.length < offset + text.length) return false;
  for (let index = 0; index < text.length; index++) {
    if (bytes[offset + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

/** As the bits of a header have it. */
const layers = { mp3: 1, mp2: 2 } as const;

/** Whether four bytes are the header of an MPEG audio frame of that layer with a possible bit rate and sample rate. */
function isMpegFrame(bytes: Uint8Array, offset: number, kind: keyof typeof layers): boolean {
  const [first, second, third] = [bytes[offset], bytes[offset + 1], bytes[offset + 2]];
  if (first !== 0xff || second === undefined || third === undefined) return false;
  const version = (second >> 3) & 3;
  const layer = (second >> 1) & 3;
  const bitRate = third >> 4;
  const sampleRate = (third >> 2) & 3;
  const possible = version !== 1 && bitRate !== 0 && bitRate !== 15 && sampleRate !== 3;
  return (second & 0xe0) === 0xe0 && layer === layers[kind] && possible;
}

/** AAC in ADTS frames: the sync word with layer 0. */
function isAdtsFrame(bytes: Uint8Array, offset: number): boolean {
  return bytes[offset] === 0xff && ((bytes[offset + 1] ?? 0) & 0xf6) === 0xf0;
}

/** The name of the first object of Windows Media. */
const asfHeader = "\u0030\u0026\u00b2\u0075\u008e\u0066\u00cf\u0011";

/** Bytes of an ID3v2 tag at the start, 0 without one. */
function id3Length(bytes: Uint8Array): number {
  if (!hasText(bytes, 0, "ID3") || bytes.length < 10) return 0;
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(6, 10);
  return 10 + ((a & 0x7f) << 21) + ((b & 0x7f) << 14) + ((c & 0x7f) << 7) + (d & 0x7f);
}

/**
 * The container of a recording by its first bytes, whatever its name or declared type; null when it is none of those
 * taken. Files that were cut off are recognised all the same.
 */
export function sniffAudio(bytes: Uint8Array): AudioContainer | null {
  if ((hasText(bytes, 0, "RIFF") || hasText(bytes, 0, "RF64")) && hasText(bytes, 8, "WAVE")) {
    return "wav";
  }
  if (hasText(bytes, 0, "OggS")) return "ogg";
  if (hasText(bytes, 4, "ftyp")) return "mp4";
  // EBML; mediabunny tells WebM from other Matroska, and both carry what browsers record.
  if (hasText(bytes, 0, "\u001aE\u00df\u00a3")) return "webm";
  const start = id3Length(bytes);
  if (hasText(bytes, start, "fLaC")) return "flac";
  if (isMpegFrame(bytes, start, "mp3")) return "mp3";
  if (isMpegFrame(bytes, start, "mp2")) return "mp2";
  if (isAdtsFrame(bytes, start)) return "aac";
  if (hasText(bytes, 0, asfHeader)) return "asf";
  if (hasText(bytes, 0, "#!AMR")) return "amr";
  if (hasText(bytes, 0, "caff")) return "caf";
  if (hasText(bytes, 0, "FORM") && (hasText(bytes, 8, "AIFF") || hasText(bytes, 8, "AIFC"))) {
    return "aiff";
  }
  // Some writers leave padding between the tag and the first frame.
  return start > 0 ? "mp3" : null;
}

/** The format of speech that a provider answered with, by its first bytes; null for bare samples or anything else. */
export function sniffSpeech(bytes: Uint8Array): AudioFormat | null {
  const container = sniffAudio(bytes);
  switch (container) {
    case "wav":
    case "mp3":
    case "flac":
    case "aac":
      return container;
    case "ogg":
      return "opus";
    case "mp4":
    case "webm":
    case "amr":
    case "caf":
    case "aiff":
    case "mp2":
    case "asf":
    case null:
      return null;
  }
}
