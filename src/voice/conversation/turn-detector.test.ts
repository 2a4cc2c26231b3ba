import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../telemetry/logger.ts";
import { collect } from "../byte-stream.ts";
import { createFliteTextToSpeech } from "../providers/flite/text-to-speech.ts";
import { createFvadDetector } from "../providers/fvad/voice-activity-detector.ts";
import type { VoiceActivityDetector } from "../voice-activity-detector.ts";
import { readWav } from "../wav.ts";
import { createTurnDetector, type Noticed, type TurnDetector } from "./turn-detector.ts";

const seconds = (count: number) => Math.round(count * 16_000);
const silence = (count: number) => new Int16Array(seconds(count));
const tone = (count: number) =>
  Int16Array.from(
    { length: seconds(count) },
    (_, index) => 9_000 * Math.sin((2 * Math.PI * 220 * index) / 16_000),
  );

function joined(...parts: readonly Int16Array[]): Int16Array {
  return Int16Array.from(parts.flatMap((part) => [...part]));
}

describe("turns in a stream of sound", () => {
  const flite = createFliteTextToSpeech({ logger: silentLogger });
  let detector: VoiceActivityDetector;
  let speech: Int16Array;
  let turns: TurnDetector | undefined;

  beforeAll(async () => {
    detector = await createFvadDetector();
    const signal = AbortSignal.timeout(30_000);
    const options = { language: "en", format: "wav", speed: 1, signal } as const;
    const said = await flite.synthesize("Please open the door.", options);
    speech = readWav((await collect(said.bytes, 1024 * 1024))!)!.samples;
  });
  afterAll(async () => {
    turns?.close();
    await flite.close();
  });

  function open(more: { isManual?: boolean; silenceMs?: number; maxTurnMs?: number } = {}) {
    turns?.close();
    turns = createTurnDetector({
      detector,
      silenceMs: 600,
      isManual: false,
      maxTurnMs: 60_000,
      ...more,
    });
    return turns;
  }

  const kinds = (noticed: readonly Noticed[]) =>
    noticed.map((each) => (each.kind === "ended" ? each.reason : each.kind));

  it("begin with a voice and end with silence, however the sound arrives", () => {
    const sound = joined(silence(1), speech, silence(1), speech, silence(1));
    const whole = open().push(sound);
    expect(kinds(whole)).toEqual(["started", "silence", "started", "silence"]);
    const inPieces = open();
    const noticed: Noticed[] = [];
    for (let at = 0; at < sound.length; at += 113) {
      noticed.push(...inPieces.push(sound.subarray(at, at + 113)));
    }
    expect(noticed).toEqual(whole);
    const [started, ended] = whole as [Noticed, Extract<Noticed, { kind: "ended" }>];
    expect(Math.abs(started.atMs - 1_000)).toBeLessThan(300);
    const lengthMs = speech.length / 16;
    expect(Math.abs(ended.durationMs - lengthMs)).toBeLessThan(500);
    // The whole of it is there, its beginning too.
    expect(ended.audio!.samples.length).toBeGreaterThanOrEqual(speech.length * 0.85);
    expect(ended.atMs).toBeGreaterThanOrEqual(started.atMs + ended.durationMs + 570);
  });

  it("go on over a short pause", () => {
    const sound = joined(silence(0.5), speech, silence(0.4), speech, silence(1.5));
    expect(kinds(open({ silenceMs: 1_000 }).push(sound))).toEqual(["started", "silence"]);
  });

  it("are cut at their limit and go on as the next", () => {
    const sound = joined(silence(0.5), speech, speech, speech, speech, silence(1));
    const noticed = open({ maxTurnMs: 2_000 }).push(sound);
    expect(kinds(noticed).slice(0, 3)).toEqual(["started", "too_long", "started"]);
    for (const each of noticed) {
      if (each.kind === "ended") expect(each.audio!.samples.length).toBeLessThanOrEqual(32_000);
    }
  });

  it("are not made of silence, a tone, or a tone for long", () => {
    expect(open().push(silence(5))).toEqual([]);
    const noticed = open().push(joined(silence(0.5), tone(20), silence(1)));
    expect(kinds(noticed).filter((kind) => kind !== "started" && kind !== "noise")).toEqual([]);
    // It does not begin again and again while it lasts.
    expect(noticed.length).toBeLessThanOrEqual(2);
  });

  it("end at the client's word, and are forgotten at it", () => {
    const auto = open();
    expect(auto.commit()).toBeNull();
    auto.push(joined(silence(0.5), speech));
    expect(auto.commit()).toMatchObject({ kind: "ended", reason: "commit" });
    auto.push(speech);
    auto.reset();
    expect(auto.commit()).toBeNull();
  });

  it("hold everything when only the client ends them", () => {
    const manual = open({ isManual: true });
    expect(kinds(manual.push(joined(silence(3), speech, silence(3))))).toEqual(["started"]);
    const ended = manual.commit() as Extract<Noticed, { kind: "ended" }>;
    expect(Math.abs(ended.audio!.samples.length - (seconds(6) + speech.length))).toBeLessThan(480);
    expect(manual.commit()).toBeNull();
  });
});
