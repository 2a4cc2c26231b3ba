import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Problem } from "../../src/problems/problem.ts";
import { silentLogger } from "../../src/telemetry/logger.ts";
import { collect } from "../../src/voice/byte-stream.ts";
import { createOpenAiSpeechToText } from "../../src/voice/providers/openai/speech-to-text.ts";
import {
  createOpenAiTextToSpeech,
  type OpenAiSynthesisOptions,
} from "../../src/voice/providers/openai/text-to-speech.ts";
import { sniffSpeech } from "../../src/voice/sniff-audio.ts";
import type { Recording, SpeechToText } from "../../src/voice/speech-to-text.ts";
import type { SynthesizeOptions, TextToSpeech } from "../../src/voice/text-to-speech.ts";
import { convert, describeSpeech, plain, recognize } from "../support/speech-programs.ts";
import {
  startSpeechServer,
  type Deviations,
  type SpeechTestServer,
} from "../support/speech-server.ts";

const sentence = "what time is it";
/** Real engines on a machine that may be busy. */
const limits = { retryMs: 5, firstByteMs: 20_000, totalMs: 40_000 };

describeSpeech("the openai provider and a real server, with every deviation", () => {
  let server: SpeechTestServer;
  let question: Recording;
  let ears: SpeechToText;
  let mouth: TextToSpeech;

  const speaker = (more: Partial<OpenAiSynthesisOptions> = {}) =>
    createOpenAiTextToSpeech({
      apiUrl: server.url,
      apiKey: "key-1",
      model: "tts-test",
      voice: "rms",
      voices: ["configured"],
      pcmSampleRateHz: null,
      limits,
      logger: silentLogger,
      ...more,
    });
  const listener = (more: { firstByteMs?: number } = {}) =>
    createOpenAiSpeechToText({
      apiUrl: server.url,
      apiKey: "key-1",
      model: "stt-test",
      limits: { ...limits, ...more },
      logger: silentLogger,
    });

  beforeAll(async () => {
    server = await startSpeechServer();
    const speech = await speaker().synthesize(sentence, asked());
    const wav = (await collect(speech.bytes, 10_000_000))!;
    const bytes = await convert(wav, "webm", ["-c:a", "libopus", "-b:a", "64k"]);
    question = { kind: "upload", container: "webm", bytes, durationMs: 1_400 };
  });

  afterAll(async () => {
    await Promise.all([ears.close(), mouth.close()]);
    await server.close();
  });

  beforeEach(async () => {
    await Promise.all([ears?.close(), mouth?.close()]);
    ears = listener();
    mouth = speaker();
    server.deviate({});
    (server.requests as unknown[]).length = 0;
  });

  function asked(more: Partial<SynthesizeOptions> = {}): SynthesizeOptions {
    const signal = new AbortController().signal;
    return { language: "en", format: "wav", speed: 1, signal, ...more };
  }

  const hear = (signal = new AbortController().signal) => ears.transcribe(question, { signal });

  /** What a recogniser hears in the speech that the provider brings. */
  async function spoken(engine = mouth, options = asked()) {
    const speech = await engine.synthesize(sentence, options);
    const bytes = (await collect(speech.bytes, 10_000_000))!;
    return { ...speech, bytes, text: await recognize(bytes) };
  }

  test("hears and speaks with a server that keeps to the contract", async () => {
    const segments = [{ start: 0, end: expect.any(Number), text: sentence }];
    expect(await hear()).toEqual({ text: sentence, language: "en", segments });
    const speech = await spoken();
    expect(speech).toMatchObject({ format: "wav", sampleRateHz: 16_000, text: sentence });
    const [heard, said] = server.requests;
    expect(heard).toMatchObject({
      authorization: "Bearer key-1",
      fields: { model: "stt-test", response_format: "verbose_json" },
      file: { name: "recording.webm", type: "audio/webm" },
    });
    expect(said?.fields).toEqual({
      model: "tts-test",
      input: sentence,
      voice: "rms",
      response_format: "wav",
    });
  });

  test("samples go as a WAV file; the language as its primary tag", async () => {
    const wav = (await collect((await mouth.synthesize(sentence, asked())).bytes, 1e7))!;
    const { readWav } = await import("../../src/voice/wav.ts");
    const recording: Recording = { kind: "pcm", audio: readWav(wav)! };
    const signal = new AbortController().signal;
    const heard = await ears.transcribe(recording, { language: "en-US", signal });
    expect(heard.text).toBe(sentence);
    expect(server.requests.at(-1)).toMatchObject({
      fields: { language: "en" },
      file: { name: "recording.wav", type: "audio/wav" },
    });
  });

  test.each<Deviations>([
    { transcriptEvents: "transcript" },
    { transcriptEvents: "chunks" },
    { durationAsString: true },
    { tags: true },
    { transcriptAs: "text" },
    { transcriptAs: "string" },
    { invents: true },
    { refuse: { times: 2, status: 503 } },
    { refuse: { times: 1, status: 429, retryAfter: "0" } },
    { refuse: { times: 1, status: 502 } },
    { refuse: { times: 1, status: 504, retryAfter: new Date(0).toUTCString() } },
  ])("hears with %j", async (deviations) => {
    server.deviate(deviations);
    expect((await hear()).text).toBe(sentence);
  });

  test.each([400, 422] as const)(
    "verbose_json refused with %i is not asked for again",
    async (status) => {
      server.deviate({ refuseVerbose: status });
      expect((await hear()).text).toBe(sentence);
      expect((await hear()).text).toBe(sentence);
      expect(server.requests.map(({ fields }) => fields["response_format"])).toEqual([
        "verbose_json",
        "json",
        "json",
      ]);
    },
  );

  test("a language in the tags of a text is taken from there", async () => {
    server.deviate({ tags: true, refuseVerbose: 400 });
    expect(await hear()).toEqual({ text: sentence, language: "en" });
  });

  test.each<Deviations>([
    { speechEvents: "whole" },
    { wavLength: 0xffff_ffff },
    { wavLength: 0 },
    { wavLength: 2_147_479_588 },
    { pcm: { rateHz: 44_100, told: "type" } },
    { pcm: { rateHz: 22_050, told: "header" } },
    { pcm: { rateHz: 24_000, told: "no" } },
    { onlyFormat: "mp3" },
    { qualifiedVoices: true },
    { refuse: { times: 2, status: 503 } },
  ])("speaks with %j", async (deviations) => {
    server.deviate(deviations);
    const { format, bytes, text } = await spoken();
    expect(text).toBe(sentence);
    expect(sniffSpeech(bytes)).toBe(format);
    expect(format).toBe(deviations.onlyFormat ?? "wav");
  });

  test.each(["mp3", "opus", "flac", "aac"] as const)("passes %s on as it comes", async (format) => {
    const speech = await spoken(mouth, asked({ format }));
    expect(speech).toMatchObject({ format, text: sentence });
  });

  test("bare samples are asked for where their rate is configured", async () => {
    const quick = speaker({ pcmSampleRateHz: 44_100 });
    server.deviate({ pcm: { rateHz: 44_100, told: "no" } });
    expect(await spoken(quick)).toMatchObject({
      format: "wav",
      sampleRateHz: 44_100,
      text: sentence,
    });
    expect(server.requests.at(-1)?.fields["response_format"]).toBe("pcm");
    const speech = await quick.synthesize(sentence, asked({ format: "pcm" }));
    expect(speech).toMatchObject({ format: "pcm", sampleRateHz: 44_100 });
    await speech.bytes.return();
    await quick.close();
  });

  test("a voice that must name its model is found out once", async () => {
    server.deviate({ qualifiedVoices: true });
    await spoken();
    await spoken();
    expect(server.requests.map(({ fields }) => fields["voice"])).toEqual([
      "rms",
      "tts-test:rms",
      "tts-test:rms",
    ]);
  });

  test.each([
    ["strings", ["rms", "slt"]],
    ["objects", ["rms", "slt"]],
    ["list", ["rms", "slt"]],
    ["none", ["configured"]],
  ] as const)("voices as %s", async (voices, ids) => {
    server.deviate({ voices });
    const fresh = speaker({ voice: null });
    const list = await fresh.voices(new AbortController().signal);
    expect(list.map(({ id }) => id)).toEqual(ids);
    if (voices === "objects") {
      expect(list[1]).toEqual({ id: "slt", name: "Sally", language: "en" });
    }
    const speech = await fresh.synthesize(sentence, asked());
    await speech.bytes.return();
    expect(server.requests.at(-1)?.fields["voice"]).toBe(ids[0]);
    await fresh.close();
  });

  async function problemOf(work: Promise<unknown>): Promise<Problem> {
    const error = await work.then(
      () => new Error("it succeeded"),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(Problem);
    return error as Problem;
  }

  test("a server that stays busy is unavailable, with its Retry-After", async () => {
    server.deviate({ refuse: { times: 99, status: 503 } });
    expect((await problemOf(hear())).type).toBe("voice_unavailable");
    server.deviate({ refuse: { times: 99, status: 429, retryAfter: "77" } });
    const busy = await problemOf(mouth.synthesize(sentence, asked()));
    expect(busy).toMatchObject({ type: "voice_unavailable", retryAfterSeconds: 77 });
  });

  test.each<[string, Deviations, string]>([
    ["an unknown failure", { refuse: { times: 99, status: 500 } }, "speech_failed"],
    ["a bare error", { refuse: { times: 99, status: 401 }, bareErrors: true }, "speech_failed"],
    ["a web page", { nonsense: "html" }, "speech_failed"],
    ["an answer without an answer", { nonsense: "json" }, "speech_failed"],
    ["no headers in time", { silent: "headers" }, "speech_timeout"],
    ["no body in time", { silent: "body" }, "speech_timeout"],
  ])("%s is told apart", async (_, deviations, type) => {
    ears = createOpenAiSpeechToText({
      apiUrl: server.url,
      apiKey: null,
      model: null,
      // The length of the recording comes on top.
      limits: { ...limits, firstByteMs: -1_300 },
      logger: silentLogger,
    });
    if (!deviations.silent) ears = listener();
    mouth = speaker({
      limits: { ...limits, firstByteMs: deviations.silent ? 100 : limits.firstByteMs },
    });
    server.deviate(deviations);
    expect((await problemOf(hear())).type).toBe(type);
    expect((await problemOf(mouth.synthesize(sentence, asked()))).type).toBe(type);
    await server.settled();
  });

  test.each<Deviations>([{ nonsense: "empty" }, { cut: "before" }])(
    "no sound with %j",
    async (d) => {
      server.deviate(d);
      expect((await problemOf(mouth.synthesize(sentence, asked()))).type).toBe("speech_failed");
    },
  );

  test.each<Deviations>([{ cut: "within" }, { speechEvents: "cut" }])(
    "speech that breaks off with %j is not taken for whole",
    async (d) => {
      server.deviate(d);
      const speech = await mouth.synthesize(sentence, asked());
      expect((await problemOf(collect(speech.bytes, 1e7))).type).toBe("speech_failed");
    },
  );

  test("upstream words never reach the caller", async () => {
    server.deviate({ refuse: { times: 99, status: 500 } });
    const problem = await problemOf(hear());
    expect(`${problem.message} ${problem.text("zh")} ${String(problem.cause)}`).not.toContain(
      "not now",
    );
  });

  test("nobody listens: unavailable after trying again, and soon", async () => {
    const nowhere = createOpenAiSpeechToText({
      apiUrl: "http://127.0.0.1:9",
      apiKey: null,
      model: null,
      limits,
      logger: silentLogger,
    });
    const signal = new AbortController().signal;
    const problem = await problemOf(nowhere.transcribe(question, { signal }));
    expect(problem.type).toBe("voice_unavailable");
    expect((await nowhere.probe(signal)).status).toBe("unhealthy");
    await nowhere.close();
  });

  test("aborting ends the exchange and its connection", async () => {
    server.deviate({ silent: "headers" });
    const stop = new AbortController();
    const heard = hear(stop.signal);
    const said = mouth.synthesize(sentence, asked({ signal: stop.signal }));
    const reason = new Error("enough");
    setTimeout(() => stop.abort(reason), 50);
    await expect(heard).rejects.toBe(reason);
    await expect(said).rejects.toBe(reason);
    await server.settled();
  });

  test("speech that nobody reads on is ended at its source", async () => {
    const speech = await mouth.synthesize(sentence.repeat(40), asked());
    await speech.bytes.return();
    await server.settled();
    const half = await mouth.synthesize(sentence.repeat(40), asked());
    await half.bytes.next();
    await half.bytes.return();
    await server.settled();
  });

  test("closing ends what still waits", async () => {
    server.deviate({ silent: "body" });
    const received = server.received();
    const waiting = mouth.synthesize(sentence, asked());
    await Promise.all([
      received,
      problemOf(waiting).then(expectUnavailable),
      received.then(mouth.close),
    ]);
    await server.settled();
    function expectUnavailable({ type }: Problem) {
      expect(type).toBe("voice_unavailable");
    }
  });

  test("probes tell a server that answers from one that does not", async () => {
    const signal = new AbortController().signal;
    expect((await mouth.probe(signal)).status).toBe("healthy");
    expect((await ears.probe(signal)).status).toBe("healthy");
    await mouth.close();
    expect((await mouth.probe(signal)).status).toBe("unhealthy");
  });

  test("Chinese both ways", async () => {
    const phrase = "现在几点了";
    const speech = await mouth.synthesize(phrase, asked({ language: "zh" }));
    const bytes = (await collect(speech.bytes, 1e7))!;
    const recording: Recording = { kind: "upload", container: "wav", bytes, durationMs: 1_500 };
    const signal = new AbortController().signal;
    const heard = await ears.transcribe(recording, { language: "zh-CN", signal });
    expect(plain(heard.text)).toBe(phrase);
    expect(heard.language).toBe("zh");
  });
});
