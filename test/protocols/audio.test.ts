import { toFile, type OpenAI } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readWav } from "../../src/voice/wav.ts";
import { startJsonServer, type JsonServer } from "../support/json-server.ts";
import { openAiClient } from "../support/protocol-service.ts";
import { startService, type TestService } from "../support/start-service.ts";

let recogniser: JsonServer;
let service: TestService;
let openai: OpenAI;
let spoken: Buffer;

/** When what was said, where the recogniser tells. */
let segments: object[] | undefined;

beforeAll(async () => {
  recogniser = await startJsonServer(({ path }) =>
    path.endsWith("/audio/transcriptions")
      ? {
          status: 200,
          body: { text: " What time is it? ", language: "english", duration: 1, segments },
        }
      : { status: 404, body: {} },
  );
  service = await startService({
    env: { VOICE_STT_API_URL: `${recogniser.url}/v1`, LIMITS_MAX_UPLOAD_SIZE: "1MB" },
  });
  openai = openAiClient(service.url, "listener");
  spoken = await speak({});
});
afterAll(async () => {
  await service.stop();
  await recogniser.stop();
});

async function speak(more: object): Promise<Buffer> {
  const sound = await openai.audio.speech.create({
    model: "tts-1",
    voice: "alloy",
    input: "What **time** is it? It is four.",
    ...more,
  });
  return Buffer.from(await sound.arrayBuffer());
}

const samplesOf = (sound: Buffer) => readWav(sound)?.samples.length ?? 0;
const hear = async (more: object = {}) =>
  openai.audio.transcriptions.create({
    file: await toFile(spoken, "question.wav"),
    model: "whisper-1",
    ...more,
  } as never) as Promise<unknown>;

describe("speech", () => {
  it("comes in a format that can be had, in a voice that is here, as slow as is asked", async () => {
    const wav = readWav(spoken);
    expect(wav?.sampleRateHz).toBe(16_000);
    const { data: slow, response } = await openai.audio.speech
      .create({
        model: "tts-1",
        voice: { id: "rms" },
        input: "What time is it? It is four.",
        response_format: "wav",
        speed: 0.5,
      })
      .withResponse();
    expect(response.headers.get("content-type")).toBe("audio/wav");
    const longer = samplesOf(Buffer.from(await slow.arrayBuffer()));
    expect(longer).toBeGreaterThan(1.5 * samplesOf(spoken));
    const opus = await speak({ response_format: "opus" });
    expect(opus.subarray(0, 4).toString()).toBe("OggS");
  });

  it("comes as bare samples at the rate that these clients play", async () => {
    const pcm = await speak({ response_format: "pcm" });
    const ratio = pcm.length / 2 / samplesOf(await speak({ response_format: "wav" }));
    expect(ratio).toBeCloseTo(24_000 / 16_000, 1);
  });

  it("comes as subtitles where it is known when what was said", async () => {
    segments = [
      { id: 0, start: 0, end: 1.5, text: " What\n\ntime --> is" },
      { id: 1, start: 61.2, end: 3_600.25, text: " it?" },
    ];
    expect(await hear({ response_format: "srt" })).toBe(
      "1\n00:00:00,000 --> 00:00:01,500\nWhat time → is\n\n2\n00:01:01,200 --> 01:00:00,250\nit?\n",
    );
    expect(await hear({ response_format: "vtt" })).toBe(
      "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nWhat time → is\n\n00:01:01.200 --> 01:00:00.250\nit?\n",
    );
    expect(await hear({ response_format: "verbose_json" })).toMatchObject({
      segments: [
        { id: 0, start: 0, end: 1.5 },
        { id: 1, start: 61.2, text: "it?" },
      ],
    });
    // Times that are not of every piece are of none.
    segments = [{ start: 0, end: 1.5, text: "What" }, { text: "time is it?" }];
    await expect(hear({ response_format: "srt" })).rejects.toMatchObject({
      status: 400,
      code: "unsupported_parameter",
    });
    segments = undefined;
  });

  it("comes as events where that is asked for", async () => {
    const response = await openai.audio.speech.create({
      model: "tts-1",
      voice: "alloy",
      input: "What time is it? It is four.",
      stream_format: "sse",
    });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const events = [...(await response.text()).matchAll(/^data: (\{.*)$/gm)].map(
      ([, json = ""]) => JSON.parse(json) as { type: string; audio?: string },
    );
    expect(events.at(-1)?.type).toBe("speech.audio.done");
    const sound = events.map(({ audio = "" }) => Buffer.from(audio, "base64"));
    expect(samplesOf(Buffer.concat(sound))).toBe(samplesOf(spoken));
  });

  it.each<[string, number, string, object]>([
    ["response_format", 400, "unsupported_parameter", { response_format: "mp3" }],
    ["response_format", 400, "bad_request", { response_format: "midi" }],
    ["voice", 422, "validation_failed", { voice: "nobody" }],
    ["voice", 400, "bad_request", { voice: 4 }],
    ["speed", 422, "validation_failed", { speed: 9 }],
    ["input", 422, "validation_failed", { input: " " }],
    ["input", 422, "validation_failed", { input: "***" }],
  ])("%s that cannot be is refused by its name (%i %s)", async (param, status, code, more) => {
    await expect(speak(more)).rejects.toMatchObject({ status, code, param });
  });

  it("has voices to choose from", async () => {
    const { voices } = (await (await fetch(`${service.url}/v1/audio/voices`)).json()) as {
      voices: { id: string; name: string }[];
    };
    expect(voices.map(({ id }) => id)).toContain("rms");
  });
});

describe("CopilotKit's microphone", () => {
  const record = (bytes: Uint8Array, field = "audio") => {
    const form = new FormData();
    form.append(field, new Blob([Buffer.from(bytes)]), "recording.webm");
    return fetch(`${service.url}/copilotkit/transcribe`, { method: "POST", body: form });
  };
  const offered = async (url: string) => {
    const info = (await (await fetch(`${url}/copilotkit/info`)).json()) as object;
    return (info as { audioFileTranscriptionEnabled: boolean }).audioFileTranscriptionEnabled;
  };

  it("is heard, and offered where that is so", async () => {
    expect(await (await record(spoken)).json()).toEqual({ text: "What time is it?" });
    expect(await offered(service.url)).toBe(true);
    const deaf = await startService({ env: { VOICE_STT_PROVIDER: "off" } });
    expect(await offered(deaf.url)).toBe(false);
    await deaf.stop();
  });

  it.each<[number, string, boolean, () => Promise<Response>]>([
    [415, "invalid_audio_format", false, () => record(Buffer.from("no sound at all"))],
    [413, "audio_too_long", false, () => record(Buffer.alloc(1_100_000))],
    [422, "invalid_request", false, () => record(Buffer.alloc(0))],
    [422, "invalid_request", false, () => record(spoken, "file")],
    [
      502,
      "provider_error",
      true,
      async () => {
        recogniser.fail("error");
        const refused = await record(spoken);
        recogniser.recover();
        return refused;
      },
    ],
  ])(
    "what cannot be heard is told in its own words (%i %s)",
    async (status, error, retryable, ask) => {
      const response = await ask();
      expect(response.status).toBe(status);
      expect(await response.json()).toEqual({
        error,
        message: expect.stringMatching(/./),
        retryable,
      });
    },
  );
});

describe("a recording", () => {
  it("is heard, and told as is asked", async () => {
    expect(await hear()).toMatchObject({
      text: "What time is it?",
      usage: { type: "duration", seconds: expect.any(Number) },
    });
    expect(await hear({ response_format: "text" })).toBe("What time is it?");
    const long = await hear({
      response_format: "verbose_json",
      timestamp_granularities: ["segment"],
    });
    const seconds = samplesOf(spoken) / 16_000;
    expect(long).toMatchObject({
      task: "transcribe",
      text: "What time is it?",
      language: "en",
      segments: [{ start: 0, text: "What time is it?" }],
    });
    expect((long as { duration: number }).duration).toBeCloseTo(seconds, 1);
  });

  it("comes as events where that is asked for", async () => {
    const stream = (await hear({ stream: true })) as AsyncIterable<{ type: string; text?: string }>;
    const events = [];
    for await (const event of stream) events.push(event);
    expect(events).toMatchObject([
      { type: "transcript.text.delta", delta: "What time is it?" },
      { type: "transcript.text.done", text: "What time is it?" },
    ]);
  });

  it("is heard in the language that is named", async () => {
    const asked = recogniser.nextRequest();
    await hear({ language: "zh", prompt: "means nothing", temperature: 0 });
    expect((await asked).rawBody).toMatch(/name="language"\r\n\r\nzh\r\n/);
  });

  it.each<[string, number, string, object]>([
    ["response_format", 400, "unsupported_parameter", { response_format: "srt" }],
    ["response_format", 400, "unsupported_parameter", { response_format: "vtt" }],
    ["response_format", 400, "bad_request", { response_format: "docx" }],
    [
      "timestamp_granularities",
      400,
      "unsupported_parameter",
      { timestamp_granularities: ["word"] },
    ],
    ["include", 400, "unsupported_parameter", { include: ["logprobs"] }],
    ["language", 422, "validation_failed", { language: "no language" }],
  ])("%s that cannot be is refused by its name (%i %s)", async (param, status, code, more) => {
    await expect(hear(more)).rejects.toMatchObject({ status, code, param });
  });

  it.each<[string | null, number, string, Buffer]>([
    [null, 415, "unsupported_media_type", Buffer.from("no sound at all")],
    ["file", 422, "validation_failed", Buffer.alloc(0)],
    [null, 413, "payload_too_large", Buffer.alloc(1_100_000)],
  ])("that is none is refused (%s, %i %s)", async (param, status, code, bytes) => {
    const file = await toFile(bytes, "question.wav");
    const refused = openai.audio.transcriptions.create({ file, model: "whisper-1" });
    await expect(refused).rejects.toMatchObject({ status, code, param });
  });

  it("needs its field, and a form", async () => {
    const form = new FormData();
    form.set("audio_file", new Blob([Buffer.from(spoken)]), "question.wav");
    for (const [body, status, param] of [
      [form, 422, "file"],
      ["{}", 415, null],
    ] as const) {
      const response = await fetch(`${service.url}/v1/audio/transcriptions`, {
        method: "POST",
        body,
      });
      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject({
        error: { type: "invalid_request_error", param },
      });
    }
  });

  it("that nobody can hear is told so, in this protocol's shape", async () => {
    recogniser.fail("error");
    const refused = openai.audio.transcriptions.create(
      { file: await toFile(spoken, "question.wav"), model: "whisper-1" },
      { maxRetries: 0 },
    );
    await expect(refused).rejects.toMatchObject({ type: "server_error" });
    recogniser.recover();
  });
});
