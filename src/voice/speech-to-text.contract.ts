import assert from "node:assert/strict";
import { Problem } from "../problems/problem.ts";
import type { Recording, SpeechToText } from "./speech-to-text.ts";

/** A recogniser under test, and somebody asking the time. */
export interface SpeechToTextSubject {
  readonly engine: SpeechToText;
  /** Says `what time is it`, in every form that the engine takes. */
  readonly recordings: readonly Recording[];
}

export interface SpeechToTextCase {
  readonly name: string;
  readonly run: (subject: SpeechToTextSubject) => Promise<void>;
}

const live = () => new AbortController().signal;

/** What every recogniser does; each case gets a fresh one and closes it. */
export const speechToTextContract: readonly SpeechToTextCase[] = [
  {
    name: "hears what is said, in every form of recording that it takes",
    async run({ engine, recordings }) {
      for (const recording of recordings) {
        const { text } = await engine.transcribe(recording, { language: "en", signal: live() });
        assert.equal(text.trim(), "what time is it");
      }
    },
  },
  {
    name: "hears the same every time",
    async run({ engine, recordings }) {
      const [recording] = recordings;
      assert.ok(recording);
      const heard = await Promise.all(
        [1, 2, 3].map(() => engine.transcribe(recording, { signal: live() })),
      );
      assert.deepEqual(new Set(heard.map(({ text }) => text)).size, 1);
    },
  },
  {
    name: "does nothing for a signal that has aborted",
    async run({ engine, recordings }) {
      const reason = new Error("never mind");
      const signal = AbortSignal.abort(reason);
      for (const recording of recordings) {
        await assert.rejects(engine.transcribe(recording, { signal }), reason);
      }
    },
  },
  {
    name: "stops for a signal that aborts, and hears again afterwards",
    async run({ engine, recordings }) {
      const [recording] = recordings;
      assert.ok(recording);
      const stop = new AbortController();
      const reason = new Error("enough");
      const rejected = assert.rejects(
        engine.transcribe(recording, { signal: stop.signal }),
        reason,
      );
      setImmediate(() => stop.abort(reason));
      await rejected;
      const { text } = await engine.transcribe(recording, { signal: live() });
      assert.equal(text.trim(), "what time is it");
    },
  },
  {
    name: "is well while it works, and unavailable once it is closed",
    async run({ engine, recordings }) {
      const [recording] = recordings;
      assert.ok(recording);
      assert.equal((await engine.probe(live())).status, "healthy");
      await engine.close();
      await engine.close();
      assert.equal((await engine.probe(live())).status, "unhealthy");
      await assert.rejects(
        engine.transcribe(recording, { signal: live() }),
        (error) => error instanceof Problem && error.type === "voice_unavailable",
      );
    },
  },
];
