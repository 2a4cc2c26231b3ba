import { expect, test } from "vitest";
import { Problem } from "../problems/problem.ts";
import { silentLogger } from "../telemetry/logger.ts";
import type { AudioDecoder } from "./audio-decoder.ts";
import type { AudioEncoder } from "./audio-encoder.ts";
import { releasing, streamOf } from "./byte-stream.ts";
import { createReplySpeaker, type SpokenPiece } from "./reply-speaker.ts";
import { createSynthesis, type Synthesis } from "./synthesis.ts";
import type { TextToSpeech } from "./text-to-speech.ts";
import { voiceUnavailable } from "./unavailable.ts";
import { writeWav } from "./wav.ts";

/** An engine whose work ends when the test says so: 10 ms of silence a letter. */
function heldEngine(languages: readonly string[] | "any" = "any") {
  const waiting = new Map<string, (error?: unknown) => void>();
  const begun: string[] = [];
  const arrivals: (() => void)[] = [];
  let aborted = 0;
  const engine: TextToSpeech = {
    provider: "command",
    languages,
    formats: ["wav"],
    maxCharacters: 1_000,
    streams: false,
    async synthesize(text, { signal, language }) {
      begun.push(text);
      arrivals.shift()?.();
      await new Promise<void>((resolve, reject) => {
        signal.addEventListener("abort", () => {
          aborted++;
          reject(signal.reason);
        });
        waiting.set(text, (error) => (error ? reject(error) : resolve()));
      });
      const samples = new Int16Array(80 * text.length);
      const bytes = writeWav({ samples, sampleRateHz: language === "zh" ? 22_050 : 8_000 });
      return { format: "wav", sampleRateHz: 8_000, bytes: releasing(streamOf(bytes), () => {}) };
    },
    voices: async () => [],
    probe: async () => ({ status: "healthy", details: {} }),
    close: async () => undefined,
  };
  return {
    engine,
    begun,
    aborted: () => aborted,
    /** Resolves when something more is begun. */
    next: () => new Promise<void>((resolve) => arrivals.push(resolve)),
    finish(text: string, error?: unknown) {
      waiting.get(text)?.(error);
    },
  };
}

const unused = {} as AudioDecoder & AudioEncoder;
const style = { voice: undefined, format: "wav", speed: 1 } as const;
const sentences = [1, 2, 3, 4, 5, 6].map((n) => `This is the sentence number ${"i".repeat(n)}.`);

async function synthesisOf(...engines: TextToSpeech[]): Promise<Synthesis> {
  return createSynthesis({
    engines,
    decoder: unused,
    encoder: unused,
    absence: "synthesis",
    logger: silentLogger,
    observe: () => {},
  });
}

function speakerOf(synthesis: Synthesis, signal = new AbortController().signal, idleMs = 60_000) {
  return createReplySpeaker({ synthesis, style, language: "en", signal, idleMs });
}

test("one plays, two are being made, in order, however they finish", async () => {
  const held = heldEngine();
  const speaker = speakerOf(await synthesisOf(held.engine));
  const arrived = held.next();
  speaker.push(sentences.join(" "));
  speaker.end();
  await arrived;
  expect(held.begun).toEqual(sentences.slice(0, 2));
  const third = held.next();
  const first = speaker.pieces.next();
  await third;
  expect(held.begun).toEqual(sentences.slice(0, 3));
  held.finish(sentences[2]!);
  held.finish(sentences[1]!);
  held.finish(sentences[0]!);
  const heard: SpokenPiece[] = [(await first).value!];
  // While the first plays, nothing more is begun.
  expect(held.begun).toEqual(sentences.slice(0, 3));
  for (const sentence of sentences.slice(1)) {
    const piece = speaker.pieces.next();
    if (!held.begun.includes(sentence)) await held.next();
    held.finish(sentence);
    heard.push((await piece).value!);
  }
  expect((await speaker.pieces.next()).done).toBe(true);
  expect(heard.map(({ text }) => text)).toEqual(sentences);
  expect(heard.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(heard[0]).toMatchObject({ format: "wav", language: "en", durationMs: 300 });
  const written = sentences.join(" ");
  expect(written.slice(0, heard[1]?.sourceEnd).trim()).toBe(sentences.slice(0, 2).join(" "));
});

test("speech begins before the text has ended", async () => {
  const held = heldEngine();
  const speaker = speakerOf(await synthesisOf(held.engine));
  const begun = held.next();
  const first = speaker.pieces.next();
  speaker.push("Hello world, ");
  speaker.push("how are");
  await begun;
  held.finish("Hello world,");
  expect((await first).value?.text).toBe("Hello world,");
  await speaker.pieces.return();
});

test("what has been written is spoken when nothing comes", async () => {
  const held = heldEngine();
  const speaker = speakerOf(await synthesisOf(held.engine), undefined, 20);
  const begun = held.next();
  speaker.push("One moment.");
  await begun;
  expect(held.begun).toEqual(["One moment."]);
  await speaker.pieces.return();
});

test("each piece goes to an engine for its language", async () => {
  const [english, chinese] = [heldEngine(["en"]), heldEngine(["zh"])];
  const speaker = speakerOf(await synthesisOf(english.engine, chinese.engine));
  const both = Promise.all([english.next(), chinese.next()]);
  speaker.push("Hello to the world. 今天天气很好，我们去公园吧。 42. ");
  speaker.end();
  const first = speaker.pieces.next();
  await both;
  expect(english.begun).toEqual(["Hello to the world."]);
  expect(chinese.begun[0]).toBe("今天天气很好，我们去公园吧。");
  english.finish(english.begun[0]!);
  await first;
  await speaker.pieces.return();
});

test("a language that nobody speaks ends the speech, with the remedy", async () => {
  const held = heldEngine(["en"]);
  const speaker = speakerOf(await synthesisOf(held.engine));
  const begun = held.next();
  speaker.push("Hello to the world. 今天天气很好，我们去公园吧。");
  speaker.end();
  const first = speaker.pieces.next();
  await begun;
  held.finish("Hello to the world.");
  expect((await first).value?.text).toBe("Hello to the world.");
  await expect(speaker.pieces.next()).rejects.toMatchObject({
    type: "voice_unavailable",
    message: expect.stringContaining("espeak-ng"),
  });
});

test("a fault of one engine is mended by the next, that of the last ends everything", async () => {
  const [first, second] = [heldEngine(), heldEngine()];
  const speaker = speakerOf(await synthesisOf(first.engine, second.engine));
  const begun = first.next();
  speaker.push(sentences.join(" "));
  await begun;
  const fallenBack = second.next();
  first.finish(sentences[0]!, voiceUnavailable("engine"));
  await fallenBack;
  second.finish(sentences[0]!);
  expect((await speaker.pieces.next()).value?.text).toBe(sentences[0]);
  const again = second.next();
  first.finish(sentences[1]!, new Problem("speech_timeout", {}));
  await again;
  second.finish(sentences[1]!, new Problem("speech_failed", {}));
  await expect(speaker.pieces.next()).rejects.toMatchObject({ type: "speech_failed" });
  // What else was being made has been given up.
  expect(first.aborted() + second.aborted()).toBeGreaterThan(0);
  speaker.push("More text that nobody will hear.");
  speaker.end();
  expect((await speaker.pieces.next()).done).toBe(true);
});

test("aborting ends what is being made and what waits", async () => {
  const held = heldEngine();
  const stop = new AbortController();
  const speaker = speakerOf(await synthesisOf(held.engine), stop.signal);
  const begun = held.next();
  speaker.push(sentences.join(" "));
  await begun;
  const piece = speaker.pieces.next();
  const reason = new Error("barge-in");
  stop.abort(reason);
  await expect(piece).rejects.toBe(reason);
  expect(held.aborted()).toBeGreaterThanOrEqual(2);
  expect(held.begun.length).toBeLessThanOrEqual(3);
});

test("a text without anything to say has no pieces", async () => {
  const speaker = speakerOf(await synthesisOf(heldEngine().engine));
  speaker.push("🙂 … --- \n");
  speaker.end();
  expect((await speaker.pieces.next()).done).toBe(true);
});

test("speech beyond its limit is not made", async () => {
  const held = heldEngine();
  const synthesis = await synthesisOf(held.engine);
  const speaker = createReplySpeaker({
    synthesis,
    style,
    language: "en",
    signal: new AbortController().signal,
    maxDurationMs: 100,
  });
  const begun = held.next();
  speaker.push(sentences.join(" "));
  speaker.end();
  const first = speaker.pieces.next();
  await begun;
  held.finish(sentences[0]!);
  expect((await first).done).toBe(false);
  expect((await speaker.pieces.next()).done).toBe(true);
});
