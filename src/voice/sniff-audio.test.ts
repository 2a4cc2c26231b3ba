import { expect, test } from "vitest";
import { sniffAudio, sniffSpeech } from "./sniff-audio.ts";
import { parseRange } from "./send-sound.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");

test.each<[string, Uint8Array, string | null]>([
  ["WAV", bytes("RIFF\x24\0\0\0WAVEfmt "), "wav"],
  ["RF64", bytes("RF64\xff\xff\xff\xffWAVEds64"), "wav"],
  ["a RIFF file of another kind", bytes("RIFF\x24\0\0\0AVI LIST"), null],
  ["Ogg", bytes("OggS\0\x02"), "ogg"],
  ["MP4", bytes("\0\0\0\x20ftypM4A "), "mp4"],
  ["WebM", bytes("\x1aE\xdf\xa3\x9f"), "webm"],
  ["FLAC", bytes("fLaC\0\0\0\x22"), "flac"],
  ["MP3", bytes("\xff\xfb\x90\x64"), "mp3"],
  ["MP3 of version 2", bytes("\xff\xf3\x48\xc4"), "mp3"],
  ["MP3 with a tag", bytes(`ID3\x04\0\0\0\0\0\x03abc\xff\xfb\x90\x64`), "mp3"],
  ["FLAC with a tag", bytes("ID3\x04\0\0\0\0\0\x03abcfLaC"), "flac"],
  ["AAC frames", bytes("\xff\xf1\x50\x80"), "aac"],
  ["AMR", bytes("#!AMR\n\x3c"), "amr"],
  ["wide-band AMR", bytes("#!AMR-WB\n\x3c"), "amr"],
  ["MP2", new Uint8Array([0xff, 0xfd, 0x84, 0x00]), "mp2"],
  ["Windows Media", new Uint8Array([0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11]), "asf"],
  ["CAF", bytes("caff\0\x01\0\0"), "caf"],
  ["AIFF", bytes("FORM\0\0\0\x2eAIFFCOMM"), "aiff"],
  ["AIFF-C", bytes("FORM\0\0\0\x2eAIFCCOMM"), "aiff"],
  ["a picture in a FORM", bytes("FORM\0\0\0\x2eILBM"), null],
  ["MPEG audio of layer 1", bytes("\xff\xff\x90\x64"), null],
  ["text", bytes("hello world"), null],
  ["a web page", bytes("<!DOCTYPE html>"), null],
  ["a picture", bytes("\x89PNG\r\n\x1a\n"), null],
  ["nothing", bytes(""), null],
  ["too little", bytes("RI"), null],
])("%s", (_, file, expected) => {
  expect(sniffAudio(file)).toBe(expected);
});

test("speech comes in what may be sent on", () => {
  expect(sniffSpeech(bytes("OggS\0\x02"))).toBe("opus");
  expect(sniffSpeech(bytes("\xff\xf1\x50\x80"))).toBe("aac");
  expect(sniffSpeech(bytes("\0\0\0\x20ftypM4A "))).toBeNull();
  expect(sniffSpeech(bytes('{"error": "no"}'))).toBeNull();
});

test.each<[string | undefined, ReturnType<typeof parseRange>]>([
  [undefined, null],
  ["bytes=0-", { start: 0, end: 99 }],
  ["bytes=10-19", { start: 10, end: 19 }],
  ["bytes=90-999", { start: 90, end: 99 }],
  ["bytes=-5", { start: 95, end: 99 }],
  ["bytes=-500", { start: 0, end: 99 }],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=100-", "unsatisfiable"],
  ["bytes=20-10", null],
  ["bytes=-", null],
  ["bytes=0-1,5-6", null],
  ["items=0-1", null],
  ["bytes=a-b", null],
])("the range %s of a hundred bytes", (header, expected) => {
  expect(parseRange(header, 100)).toEqual(expected);
});
