import { expect, test } from "vitest";
import { Problem } from "../problems/problem.ts";
import { silentLogger } from "../telemetry/logger.ts";
import type { AudioDecoder } from "./audio-decoder.ts";
import { createRecognition } from "./recognition.ts";
import type { SpeechToText } from "./speech-to-text.ts";

const never = new AbortController().signal;

/** A server that hears `text` in everything, on a machine that cannot decode the recording. */
function heard(text: string) {
  const decoder: AudioDecoder = {
    inspect: async () => ({ container: "mp4", codec: "aac", durationMs: 2_000 }),
    decode: () =>
      Promise.reject(new Problem("unsupported_media_type", { got: "aac", expected: "wav" })),
    close: async () => {},
  };
  const engine: SpeechToText = {
    provider: "openai",
    languages: "any",
    accepts: "uploads",
    transcribe: async () => ({ text, language: "en" }),
    probe: async () => ({ status: "healthy", details: {} }),
    close: async () => {},
  };
  const recognition = createRecognition({
    engines: [engine],
    decoder,
    detector: { frameSamples: 160, open: () => expect.fail("nothing was decoded") } as never,
    language: null,
    maxBytes: 100,
    absence: "recognition",
    logger: silentLogger,
    observe: () => {},
  });
  return recognition.transcribe(new Uint8Array(10), { owner: "alice", signal: never });
}

test.each([
  "Thanks for watching!",
  "Thank you very much for watching.",
  "谢谢观看",
  "字幕由志愿者提供",
  "you",
])("words that nobody said are nobody's: %s", async (text) => {
  await expect(heard(text)).rejects.toMatchObject({ type: "validation_failed" });
});

test.each(["Thank you.", "Thanks for watching the house.", "What about you?", "谢谢", "字幕"])(
  "words that somebody may have said are kept: %s",
  async (text) => {
    expect((await heard(text)).text).toBe(text);
  },
);
