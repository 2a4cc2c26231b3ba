import assert from "node:assert/strict";
import { Problem } from "../problems/problem.ts";
import { collect } from "./byte-stream.ts";
import { sniffSpeech } from "./sniff-audio.ts";
import type { SynthesizeOptions, TextToSpeech } from "./text-to-speech.ts";
import { readWav } from "./wav.ts";

/** A synthesiser under test that speaks English. */
export interface TextToSpeechSubject {
  readonly engine: TextToSpeech;
  /** What it says, as somebody hears it; null where nobody can listen. */
  readonly hear: ((sound: Uint8Array) => Promise<string>) | null;
}

export interface TextToSpeechCase {
  readonly name: string;
  readonly run: (subject: TextToSpeechSubject) => Promise<void>;
}

const sentence = "what time is it";
/** Long enough that it is never made within a moment. */
const longText = "This is a long sentence that somebody has to say. ".repeat(18).trim();

function options(more: Partial<SynthesizeOptions> = {}): SynthesizeOptions {
  const { signal } = new AbortController();
  return { language: "en", format: "wav", speed: 1, signal, ...more };
}

async function speak(engine: TextToSpeech, text: string, more?: Partial<SynthesizeOptions>) {
  const speech = await engine.synthesize(text, options(more));
  const bytes = await collect(speech.bytes, 64 * 1024 * 1024);
  assert.ok(bytes);
  return { ...speech, bytes };
}

function seconds(bytes: Uint8Array): number {
  const audio = readWav(bytes);
  assert.ok(audio);
  return audio.samples.length / audio.sampleRateHz;
}

/** What every synthesiser does; each case gets a fresh one and closes it. */
export const textToSpeechContract: readonly TextToSpeechCase[] = [
  {
    name: "says the words of the text in the format that it tells",
    async run({ engine, hear }) {
      const speech = await speak(engine, sentence);
      assert.equal(sniffSpeech(speech.bytes), speech.format);
      assert.equal(readWav(speech.bytes)?.sampleRateHz, speech.sampleRateHz);
      assert.ok(seconds(speech.bytes) > 0.5 && seconds(speech.bytes) < 5);
      if (hear) assert.equal(await hear(speech.bytes), sentence);
    },
  },
  {
    name: "speaks faster and slower",
    async run({ engine }) {
      const [slow, normal, fast] = [
        await speak(engine, sentence, { speed: 0.5 }),
        await speak(engine, sentence),
        await speak(engine, sentence, { speed: 2 }),
      ];
      assert.ok(seconds(slow.bytes) > seconds(normal.bytes) * 1.3);
      assert.ok(seconds(fast.bytes) < seconds(normal.bytes) * 0.8);
    },
  },
  {
    name: "takes any text as text",
    async run({ engine }) {
      for (const text of [
        "-v evil --help; rm -rf / && echo $(id) `id` > x | y",
        "line one\nline two\r\n\ttabs",
        "quotes \" and ' and \\ and % and {output} and {voice}",
        "Stra\u00dfe, na\u00efve, 3\u20ac, \u201cquotes\u201d \u2026",
      ]) {
        const { bytes } = await speak(engine, text);
        assert.ok(seconds(bytes) > 0.3, text);
      }
    },
  },
  {
    name: "refuses a language that it does not speak",
    async run({ engine }) {
      if (engine.languages === "any") return;
      await assert.rejects(
        speak(engine, "zzz", { language: "xx" }),
        (error) => error instanceof Problem && error.type === "voice_unavailable",
      );
    },
  },
  {
    name: "several at a time do not get in each other's way",
    async run({ engine }) {
      const texts = ["one", "one two three four five six seven eight", "one two three"];
      const spoken = await Promise.all(texts.map((text) => speak(engine, text)));
      const [short = 0, long = 0, middle = 0] = spoken.map(({ bytes }) => seconds(bytes));
      assert.ok(short < middle && middle < long);
    },
  },
  {
    name: "does nothing for a signal that has aborted",
    async run({ engine }) {
      const reason = new Error("never mind");
      await assert.rejects(speak(engine, sentence, { signal: AbortSignal.abort(reason) }), reason);
      await assert.rejects(engine.voices(AbortSignal.abort(reason)), reason);
    },
  },
  {
    name: "stops for a signal that aborts, and speaks again afterwards",
    async run({ engine }) {
      const stop = new AbortController();
      const reason = new Error("enough");
      const spoken = speak(engine, longText, { signal: stop.signal });
      const rejected = assert.rejects(spoken, reason);
      setImmediate(() => stop.abort(reason));
      await rejected;
      assert.ok(seconds((await speak(engine, sentence)).bytes) > 0.5);
    },
  },
  {
    name: "lists its voices, and each of them speaks",
    async run({ engine }) {
      const { signal } = new AbortController();
      const voices = await engine.voices(signal);
      assert.equal(new Set(voices.map(({ id }) => id)).size, voices.length);
      for (const { id, language } of voices) {
        if (language !== null && language !== "en") continue;
        const { bytes } = await speak(engine, sentence, { voice: id });
        assert.ok(seconds(bytes) > 0.5, id);
      }
    },
  },
  {
    name: "an unknown voice is its own choice's business, never a crash",
    async run({ engine }) {
      await speak(engine, sentence, { voice: "-w/etc/passwd" }).then(
        ({ bytes }) => assert.ok(seconds(bytes) > 0.5),
        (error: unknown) => assert.ok(error instanceof Problem),
      );
    },
  },
  {
    name: "is well while it works, and unavailable once it is closed",
    async run({ engine }) {
      const { signal } = new AbortController();
      await speak(engine, sentence);
      assert.equal((await engine.probe(signal)).status, "healthy");
      const waiting = assert.rejects(speak(engine, longText), Problem);
      await engine.close();
      await waiting;
      await engine.close();
      await assert.rejects(
        speak(engine, sentence),
        (error) => error instanceof Problem && error.type === "voice_unavailable",
      );
    },
  },
];
