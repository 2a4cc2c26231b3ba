import { rm } from "node:fs/promises";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NumberedReplyEvent } from "../../packages/client/src/index.ts";
import { startEventCuttingProxy } from "../support/event-cutting-proxy.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import {
  pythonForClient,
  startPythonDriver,
  type PythonDriver,
  type Raised,
} from "../support/python-client.ts";
import { startStage } from "../support/stage.ts";
import { createDataDir, startService } from "../support/start-service.ts";

const python = await pythonForClient();
const stage =
  python === null
    ? null
    : await startStage({
        nodes: 2,
        env: { MODELS_DEFAULT_MODEL: "test-model", SESSIONS_TITLES: "first_words" },
      });
afterAll(() => stage?.stop());

describe.skipIf(python === null).each(["async", "sync"] as const)("the %s client", (mode) => {
  let model: OpenAiServer;
  let py: PythonDriver;
  beforeAll(async () => {
    model = await startOpenAiServer();
    py = await startPythonDriver(python as string, mode);
  });
  afterAll(async () => {
    await py.close();
    await model.close();
  });

  it("sees a reply interrupted by kill -9, no event lost and none twice", async () => {
    const dataDir = await createDataDir();
    const env = { MODELS_API_URL: model.url };
    let service = await startService({ dataDir, env });
    const { port } = new URL(service.url);
    await py.connect("ann", service.url, { user_id: "ann", real_wait: true });
    model.enqueue({ tokens: ["One. ", "Two. "], fault: { kind: "hang" } });
    const running = await py.send("ann", "go");
    const chunk = Promise.withResolvers<void>();
    const reading = py.read<NumberedReplyEvent>(running, {}, ({ type }) => {
      if (type === "assistant_chunk") chunk.resolve();
    });
    await chunk.promise;
    // What was seen for a moment is stored.
    const stored = async () => {
      const url = `${service.url}/chat/message/${running.messageId}?user_id=ann`;
      return ((await (await fetch(url)).json()) as { content: string }).content;
    };
    await expect.poll(stored).toBe("One. Two. ");
    await service.kill();
    service = await startService({ dataDir, env: { ...env, PORT: port } });
    const events = await reading;
    expect(events.at(-1)).toMatchObject({
      type: "error",
      error_type: "interrupted",
      full_response: "One. Two. ",
    });
    const numbers = events.map(({ seq }) => seq);
    expect(numbers).toEqual([...new Set(numbers)].toSorted((left, right) => left - right));
    await service.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it("asks for a fresh token once when the one it has runs out in the middle of a stream", async () => {
    const secret = "a secret of the tests, long enough for HS256";
    const service = await startService({
      env: {
        AUTH_MODE: "jwt",
        SECURITY_CLOCK_SKEW_SECONDS: "0",
        SECURITY_SECRET_KEY: secret,
        MODELS_API_URL: model.url,
      },
    });
    const tokenFor = (life: string) =>
      new SignJWT({ user_id: "ann", roles: [] })
        .setProtectedHeader({ alg: "HS256" })
        .setIssuedAt()
        .setExpirationTime(life)
        .sign(new TextEncoder().encode(secret));
    const token = await tokenFor("3s");
    await py.connect("ann", service.url, {
      token,
      fresh_token: await tokenFor("10m"),
      real_wait: true,
    });
    await py.noted();
    const runOut = Promise.withResolvers<void>();
    model.enqueue({
      tokens: ["One. ", "Two."],
      pace: (index) => (index === 0 ? undefined : runOut.promise),
    });
    const reply = await py.send("ann", "go");
    const reading = py.read<NumberedReplyEvent>(reply);
    // The service ends the stream, and refuses the token with which it is taken up.
    await expect.poll(() => service.output()).toMatch(/401/);
    runOut.resolve();
    const events = await reading;
    expect((await py.noted()).asked.filter((refused) => refused !== null)).toEqual([token]);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
    expect(events.at(-1)).toMatchObject({ full_response: "One. Two." });
    await py.connect("wrong", service.url, { token: "wrong", fresh_token: "wrong too" });
    const fault = await py.send("wrong", "hi").catch((error: Error) => error.cause as Raised);
    expect(fault).toMatchObject({ status: 401, type: "unauthorized" });
    await service.stop();
  });

  it.skipIf(stage === null)("reads a reply from two nodes in turn, each event once", async () => {
    if (stage === null) return;
    const urls = [stage.node(0).url, stage.node(1).url];
    let requests = 0;
    const proxy = await startEventCuttingProxy(() => urls[(requests += 1) % 2] ?? "");
    proxy.cutStreamsAfter(1);
    await py.connect("turns", proxy.url, { user_id: `ann-${mode}`, real_wait: true });
    const words = Array.from({ length: 8 }, (_, index) => `word${index} `);
    stage.model.enqueue({ tokens: words, pace: () => new Promise((done) => setTimeout(done, 50)) });
    const reply = await py.send("turns", "go");
    const events = await py.read<NumberedReplyEvent>(reply);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
    expect(events.at(-1)).toMatchObject({ full_response: words.join("") });
    proxy.close();
  });

  it("speaks, and says that nobody here can listen as the service says it", async () => {
    const service = await startService({ env: { MODELS_API_URL: model.url } });
    await py.connect("ann", service.url, { user_id: "ann" });
    const { voices } = await py.call<{ voices: object[] }>("ann", "voice.voices");
    expect(voices.length).toBeGreaterThan(0);
    const wav = { format: "wav" };
    const { bytes } = await py.call<{ bytes: string }>("ann", "voice.synthesize", ["Hello."], wav);
    expect(Buffer.from(bytes, "base64").subarray(0, 4).toString()).toBe("RIFF");
    const sound = { $file: ["hello.wav", bytes] };
    for (const path of ["voice.send", "voice.transcribe"]) {
      const fault = await py
        .call("ann", path, [sound], { language: "en" })
        .catch((error: Error) => error.cause as Raised);
      expect(fault).toMatchObject({ kind: "ApiError", type: "voice_unavailable", status: 503 });
    }
    model.enqueue({ tokens: ["Good day."] });
    const voice_config = { enable_tts: true, format: "wav" };
    const reply = await py.send("ann", "hello", { voice_config });
    const events = await py.read<NumberedReplyEvent>(reply);
    const spoken = events.find(({ type }) => type === "audio_response");
    const { audio } = spoken as unknown as { audio: { audio_id: string } };
    const kept = await py.call<{ bytes: string }>("ann", "voice.audio", [audio.audio_id]);
    expect(kept.bytes.length).toBeGreaterThan(1_000);
    await service.stop();
  });
});
