import { afterEach, expect, test } from "vitest";
import { silentLogger } from "../../src/telemetry/logger.ts";
import {
  createChildEngine,
  type ChildEngine,
  type ChildEngineOptions,
} from "../../src/voice/providers/sherpa/child-engine.ts";

let engine: ChildEngine;
const live = () => new AbortController().signal;

function start(mode = "well", more: Partial<ChildEngineOptions> = {}): void {
  engine = createChildEngine({
    module: new URL("../support/speech-children/child.ts", import.meta.url),
    model: async () => ({ kind: "speaker", config: { mode } }),
    environment: { PATH: process.env["PATH"] ?? "" },
    logger: silentLogger,
    restartMs: 10,
    ...more,
  });
}
afterEach(() => engine.close());

const say = (text: string, signal = live()) =>
  engine.ask({ kind: "speak", text, speaker: 0, speed: 1 }, signal);

/** The id of the process that works. */
async function pid(): Promise<number> {
  const answer = await say("pid");
  return answer.kind === "sound" ? answer.audio.sampleRateHz : 0;
}

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch {
    return false;
  }
}

test("it works in one process, which ends with it", async () => {
  start();
  const first = await pid();
  expect(first).not.toBe(process.pid);
  expect(await Promise.all([pid(), pid()])).toEqual([first, first]);
  expect(engine.health()).toMatchObject({
    status: "healthy",
    details: { loaded: true, deaths: 0 },
  });
  await engine.close();
  expect(isAlive(first)).toBe(false);
  await expect(say("pid")).rejects.toMatchObject({ type: "voice_unavailable" });
});

test("a death takes the question at hand, not those that wait; the third in a row is enough", async () => {
  start();
  const first = await pid();
  const [dying, waiting] = [say("die"), pid()];
  await expect(dying).rejects.toMatchObject({ type: "speech_failed" });
  const second = await waiting;
  expect(second).not.toBe(first);
  await expect(say("die")).rejects.toMatchObject({ type: "speech_failed" });
  expect(await pid()).not.toBe(second);
  expect(engine.health().status).toBe("healthy");
  const [last, lost] = [say("die"), pid()];
  const lostRejected = expect(lost).rejects.toMatchObject({ type: "voice_unavailable" });
  await expect(last).rejects.toMatchObject({ type: "speech_failed" });
  await lostRejected;
  expect(engine.health()).toMatchObject({ status: "unhealthy", details: { deaths: 3 } });
  await expect(pid()).rejects.toMatchObject({ type: "voice_unavailable", retryAfterSeconds: 60 });
});

test("a model that kills its process is given up on", async () => {
  start("die");
  await expect(say("pid")).rejects.toMatchObject({ type: "voice_unavailable" });
  expect(engine.health().status).toBe("unhealthy");
});

test("a model that is refused is not tried again at once", async () => {
  start("refuse");
  await expect(say("pid")).rejects.toMatchObject({
    type: "voice_unavailable",
    cause: expect.objectContaining({ message: "no such model" }),
  });
  expect(engine.health().status).toBe("unhealthy");
});

test("a model that does not load in time", async () => {
  start("hang", { loadTimeoutMs: 200 });
  await expect(say("pid")).rejects.toMatchObject({ type: "voice_unavailable" });
});

test("a refused question harms nobody; one that hangs is ended with its process", async () => {
  start("well", { jobTimeoutMs: 300 });
  const first = await pid();
  expect(await say("refuse")).toMatchObject({ kind: "fault" });
  expect(await pid()).toBe(first);
  await expect(say("hang")).rejects.toMatchObject({ type: "speech_timeout" });
  expect(await pid()).not.toBe(first);
});

test("eight may wait; who gives up leaves the queue", async () => {
  start("well", { jobTimeoutMs: 1_000 });
  await pid();
  const stop = new AbortController();
  const reason = new Error("enough");
  const hanging = say("hang", stop.signal);
  const waiting = Array.from({ length: 8 }, () => pid());
  await expect(say("pid")).rejects.toMatchObject({
    type: "voice_unavailable",
    retryAfterSeconds: 1,
  });
  stop.abort(reason);
  await expect(hanging).rejects.toBe(reason);
  expect(new Set(await Promise.all(waiting)).size).toBe(1);
  await expect(say("pid", AbortSignal.abort(reason))).rejects.toBe(reason);
});
