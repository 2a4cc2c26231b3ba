import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readWav, readWavLayout, wavDurationMs, writeWav } from "../../src/voice/wav.ts";
import { createClient, type Client } from "../support/client.ts";
import {
  startOpenAiServer,
  type OpenAiServer,
  type RecordedRequest,
  type Turn,
} from "../support/openai-server.ts";
import {
  chineseGrammar,
  convert,
  describeSpeech,
  plain,
  recognize,
  speakChinese,
} from "../support/speech-programs.ts";
import { startSpeechServer, type SpeechTestServer } from "../support/speech-server.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket } from "../support/web-socket-client.ts";

type Json = Record<string, unknown>;

/** An agent that says what it is told, word for word. */
function repeat({ body }: RecordedRequest): Turn {
  const { content } = (body["messages"] as { content: string }[]).at(-1)!;
  return { tokens: content.match(/\S+\s*/g) ?? [] };
}

interface ErrorBody {
  error: { type: string; message: string; details?: { path: string }[] };
}

/** POSTs a form; fields beside the recording, if there is one. */
async function post(url: string, file: Uint8Array | null, fields: Record<string, string> = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  // A wrong name and no type: only the content counts.
  if (file) form.set("audio_file", new Blob([Buffer.from(file)]), "recording.txt");
  const response = await fetch(url, { method: "POST", body: form });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Json,
  };
}

async function synthesize(
  url: string,
  body: object,
): Promise<{ response: Response; bytes: Buffer }> {
  const response = await fetch(`${url}/chat/voice/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { response, bytes: Buffer.from(await response.arrayBuffer()) };
}

const errorOf = (body: Json) => (body as unknown as ErrorBody).error;
const data = (audio: unknown) => Buffer.from((audio as { data: string }).data, "base64");

describe("nothing configured, and no program on PATH", () => {
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    service = await startService({ env: { PATH: "/nowhere" } });
    client = createClient(service.url);
  });
  afterAll(async () => {
    expect(await service.stop()).toBe(0);
  });

  test("English is spoken", async () => {
    const { response, bytes } = await synthesize(service.url, { text: "What time is it?" });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("audio/wav");
    const wav = readWav(bytes)!;
    expect(wav.sampleRateHz).toBe(16_000);
    expect(wav.samples.length).toBeGreaterThan(12_000);
    expect(Math.max(...wav.samples)).toBeGreaterThan(3_000);
  });

  test("Chinese is not, and the answer says what would help", async () => {
    const { response, bytes } = await synthesize(service.url, { text: "今天天气怎么样" });
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
    const { error } = JSON.parse(bytes.toString()) as ErrorBody;
    expect(error.type).toBe("voice_unavailable");
    expect(error.message).toContain("espeak-ng");
  });

  test("speech recognition is off, and everybody is told", async () => {
    const config = await client.get<{ features: Json }>("/health/config");
    expect(config.body.features).toMatchObject({
      voice_enabled: true,
      transcription_enabled: false,
      synthesis_enabled: true,
    });
    const { body } = await client.get<Json>("/chat/voices");
    expect(body).toMatchObject({
      success: true,
      default: "rms",
      formats: ["wav", "opus", "pcm"],
      transcription: { enabled: false, languages: [] },
      synthesis: { enabled: true, languages: ["en"], providers: ["flite"] },
    });
    const wav = writeWav({ samples: new Int16Array(16_000), sampleRateHz: 16_000 });
    for (const path of ["/chat/voice/transcribe", "/chat/voice"]) {
      const refused = await post(service.url + path, wav, { user_id: "alice" });
      expect(refused.status, path).toBe(503);
      expect(errorOf(refused.body)).toMatchObject({ type: "voice_unavailable" });
      expect(errorOf(refused.body).message).toContain("voice.api_url");
    }
  });

  test("listening over a WebSocket is refused with the remedy, and the conversation goes on", async () => {
    const socket = connectSocket(`${service.url}/chat/ws?user_id=alice`);
    await socket.next(({ type }) => type === "connection_established");
    socket.socket.send(Buffer.alloc(640), { binary: true });
    expect(await socket.next(({ type }) => type === "error")).toMatchObject({
      error_type: "bad_request",
    });
    const from = socket.messages.length;
    socket.send({ type: "voice_start" });
    expect(await socket.next(({ type }) => type === "error", from)).toMatchObject({
      error_type: "voice_unavailable",
      code: 503,
      error: expect.stringContaining("voice.api_url"),
    });
    socket.send({ type: "ping" });
    await socket.next(({ type }) => type === "pong");
    socket.socket.close();
  });

  test("a reply in a language that nobody speaks is complete; its audio failed", async () => {
    const { body } = await client.send<Json>(
      "POST",
      "/chat/message",
      {
        user_id: "alice",
        message: "你好，你能做什么？",
        voice_config: { enable_tts: true },
      },
      { "accept-language": "zh" },
    );
    expect(body).toMatchObject({ success: true, status: "complete", audio_response: null });
    const message = await client.get<Json>(`/chat/message/${String(body["message_id"])}`);
    expect(message.body["audio"]).toMatchObject({ status: "failed", code: "voice_unavailable" });
  });

  test.each([
    [{ text: "Hello.", format: "midi" }, "/format"],
    [{ text: "Hello.", voice: "nobody" }, "/voice"],
    [{ text: "Hello.", speed: 9 }, "/speed"],
    [{ text: "🙂🙂🙂" }, "/text"],
    [{ text: " " }, "/text"],
    [{}, "/text"],
  ])("%j is refused", async (body, path) => {
    const { response, bytes } = await synthesize(service.url, body);
    expect(response.status).toBe(422);
    expect((JSON.parse(bytes.toString()) as ErrorBody).error.details?.[0]?.path).toBe(path);
  });

  test("bare samples and Opus are made of what flite speaks", async () => {
    const pcm = await synthesize(service.url, { text: "One. Two. Three.", format: "pcm" });
    expect(pcm.response.headers.get("content-type")).toBe("audio/pcm;rate=16000;channels=1");
    expect(pcm.bytes.length % 2).toBe(0);
    const opus = await synthesize(service.url, { text: "One. Two. Three.", format: "opus" });
    expect(opus.response.headers.get("content-type")).toBe("audio/ogg");
    expect(opus.bytes.subarray(0, 4).toString()).toBe("OggS");
    expect(opus.bytes.length).toBeLessThan(pcm.bytes.length / 4);
  });

  test("voices and paces differ", async () => {
    const say = (more: object) => synthesize(service.url, { text: "What time is it?", ...more });
    const [plainly, other, fast] = [
      await say({}),
      await say({ voice: "slt" }),
      await say({ speed: 2 }),
    ];
    expect(plainly.bytes.equals(other.bytes)).toBe(false);
    expect(fast.bytes.length).toBeLessThan(plainly.bytes.length * 0.7);
    expect((await say({ voice: "default" })).bytes.equals(plainly.bytes)).toBe(true);
  });

  test("stored sound can be had in parts, by its owner alone", async () => {
    const { body } = await client.send<Json>("POST", "/chat/message", {
      user_id: "alice",
      message: "What is 2 + 2?",
      voice_config: { enable_tts: true },
    });
    const audio = body["audio_response"] as { url: string; format: string; duration_ms: number };
    expect(audio).toMatchObject({ format: "wav", encoding: "base64" });
    const sound = data(audio);
    expect(wavDurationMs(readWavLayout(sound)!)).toBe(audio.duration_ms);
    const whole = await fetch(service.url + audio.url);
    expect(whole.headers.get("content-type")).toBe("audio/wav");
    expect(whole.headers.get("accept-ranges")).toBe("bytes");
    expect(Buffer.from(await whole.arrayBuffer()).equals(sound)).toBe(true);
    const part = await fetch(service.url + audio.url, { headers: { range: "bytes=100-199" } });
    expect(part.status).toBe(206);
    expect(part.headers.get("content-range")).toBe(`bytes 100-199/${sound.length}`);
    expect(Buffer.from(await part.arrayBuffer()).equals(sound.subarray(100, 200))).toBe(true);
    const beyond = await fetch(service.url + audio.url, {
      headers: { range: "bytes=1000000000-" },
    });
    expect(beyond.status).toBe(416);
    expect(beyond.headers.get("content-range")).toBe(`bytes */${sound.length}`);
    expect(await beyond.json()).toMatchObject({ error: { type: "range_not_satisfiable" } });
    expect((await client.get(`${audio.url}?user_id=mallory`)).status).toBe(404);
    expect((await client.get(`${audio.url}?user_id=alice`)).status).toBe(200);
    expect((await client.get("/chat/audio/nonsense")).body).toMatchObject({
      error: { type: "audio_not_found" },
    });
    await client.send("DELETE", `/sessions/${String(body["session_id"])}`);
    expect((await fetch(service.url + audio.url)).status).toBe(404);
  });
});

describeSpeech("a spoken conversation with real engines", () => {
  let models: OpenAiServer;
  let service: TestService;
  let client: Client;
  let question: Buffer;
  /** Of this service alone. */
  let temporary: string;

  beforeAll(async () => {
    temporary = await mkdtemp(join(tmpdir(), "chat-service-temporary-"));
    models = await startOpenAiServer({ respond: repeat });
    service = await startService({
      env: {
        OPENAI_BASE_URL: models.url,
        VOICE_STT_COMMAND: "pocketsphinx",
        LIMITS_MAX_UPLOAD_SIZE: "2MB",
        TMPDIR: temporary,
      },
    });
    client = createClient(service.url);
    question = (await synthesize(service.url, { text: "what time is it", voice: "rms" })).bytes;
  });
  afterAll(async () => {
    expect(await service.stop()).toBe(0);
    await models.close();
    expect(await readdir(temporary)).toEqual([]);
    await rm(temporary, { recursive: true });
  });

  const containers: [string, string[]][] = [
    ["wav", []],
    ["webm", ["-c:a", "libopus", "-b:a", "64k"]],
    ["ogg", ["-c:a", "libopus", "-b:a", "64k"]],
    ["mp3", []],
    ["m4a", []],
    ["flac", []],
  ];

  test.each(containers)(
    "a question as %s, an answer, and both can be heard",
    async (extension, args) => {
      const file = await convert(question, extension, args);
      const { status, body } = await post(`${service.url}/chat/voice`, file, { user_id: "alice" });
      expect(status).toBe(200);
      expect(body).toMatchObject({
        success: true,
        original_message: "what time is it",
        processed_message: "what time is it",
        response: "what time is it",
      });
      expect(await recognize(data(body["audio_response"]))).toBe("what time is it");
      const history = await client.get<{ messages: Json[] }>(
        `/chat/history/${String(body["session_id"])}`,
      );
      const [asked, answered] = history.body.messages;
      expect(asked).toMatchObject({
        role: "user",
        content: "what time is it",
        audio: { format: extension === "m4a" ? "mp4" : extension },
      });
      const { url } = asked!["audio"] as { url: string };
      const kept = await fetch(service.url + url);
      expect(Buffer.from(await kept.arrayBuffer()).equals(file)).toBe(true);
      expect(answered).toMatchObject({ audio: { status: "complete", format: "wav" } });
    },
  );

  test.each([
    "hello world",
    "please open the door",
    "one two three four five",
    "my name is john",
    "turn on the light in the kitchen",
  ])("what was said is what is heard: %s", async (sentence) => {
    const spoken = (await synthesize(service.url, { text: sentence, voice: "rms" })).bytes;
    const heard = await post(`${service.url}/chat/voice/transcribe`, spoken);
    expect(heard.body).toMatchObject({ success: true, text: sentence, language: "en" });
    expect(heard.body["duration_ms"]).toBe(wavDurationMs(readWavLayout(spoken)!));
  });

  test("a stream of a spoken question: the transcript first, speech before the text has ended", async () => {
    const written = Promise.withResolvers<void>();
    models.enqueue({
      tokens: ["Please open the door. ", "My name is john, ", "and I ", "have time."],
      // The rest is not written before the first sentence has been heard.
      pace: (index) => (index === 3 ? written.promise : undefined),
    });
    const form = new FormData();
    form.set("audio_file", new Blob([Uint8Array.from(question)]), "a.wav");
    form.set(
      "request",
      JSON.stringify({ user_id: "bob", stream: true, stream_audio: true, voice: "rms" }),
    );
    const { openStream } = await import("../support/reply-stream.ts");
    const stream = await openStream(`${service.url}/chat/voice`, { method: "POST", body: form });
    const first = await stream.next((event) => event.type === "user_message");
    expect(first).toMatchObject({
      id: 1,
      message: "what time is it",
      processed_message: "what time is it",
    });
    const chunk = await stream.next((event) => event.type === "audio_chunk");
    expect(chunk).toMatchObject({ sequence: 1, format: "wav", text: "Please open the door." });
    expect(await recognize(data(chunk))).toBe("please open the door");
    written.resolve();
    const events = await stream.all();
    const chunks = events.filter((event) => event.type === "audio_chunk");
    expect(chunks.map((each) => each["sequence"])).toEqual(chunks.map((_, index) => index + 1));
    expect(plain(chunks.map((each) => each["text"]).join(" "))).toBe(
      "please open the door my name is john and i have time",
    );
    const whole = events.find((event) => event.type === "audio_response")!;
    expect(whole["audio"]).not.toHaveProperty("data");
    const { url, duration_ms: durationMs } = whole["audio"] as { url: string; duration_ms: number };
    const sound = readWav(Buffer.from(await (await fetch(service.url + url)).arrayBuffer()))!;
    const parts = chunks.map((each) => readWav(data(each))!.samples.length);
    expect(sound.samples.length).toBe(parts.reduce((sum, part) => sum + part, 0));
    expect(Math.round((sound.samples.length / sound.sampleRateHz) * 1000)).toBe(durationMs);
    expect(events.at(-1)?.type).toBe("conversation_complete");
    expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1));
  });

  test("cancelling stops the speech with the text", async () => {
    const held = Promise.withResolvers<void>();
    models.enqueue({
      tokens: ["Please open the door. ", "One two three four five. ".repeat(20), "end"],
      pace: (index) => (index === 2 ? held.promise : undefined),
    });
    const stream = await client.stream({
      user_id: "carol",
      message: "go on",
      voice_config: { enable_tts: true, stream_audio: true },
    });
    const chunk = await stream.next((event) => event.type === "audio_chunk");
    await client.send("POST", `/chat/message/${String(chunk["message_id"])}/cancel`);
    const events = await stream.all();
    held.resolve();
    expect(events.at(-1)?.type).toBe("cancelled");
    expect(events.some((event) => event.type === "audio_response")).toBe(false);
    expect(events.filter((event) => event.type === "audio_chunk").length).toBeLessThan(20);
  });

  const tone = (seconds: number, amplitude: number, frequencyHz = 440) =>
    writeWav({
      samples: Int16Array.from(
        { length: 16_000 * seconds },
        (_, index) => amplitude * Math.sin((2 * Math.PI * frequencyHz * index) / 16_000),
      ),
      sampleRateHz: 16_000,
    });

  test.each<[string, () => Uint8Array | Promise<Uint8Array>, number, string]>([
    ["silence", () => tone(2, 0), 422, "validation_failed"],
    ["a tone", () => tone(2, 9_000), 422, "validation_failed"],
    ["a hum", () => tone(2, 3_000, 50), 422, "validation_failed"],
    ["a moment", () => tone(0.05, 9_000), 422, "validation_failed"],
    ["nothing", () => new Uint8Array(), 422, "validation_failed"],
    ["a text", () => Buffer.from("hello ".repeat(100)), 415, "unsupported_media_type"],
    [
      "a damaged file",
      () => Buffer.concat([Buffer.from("OggS"), Buffer.alloc(500)]),
      422,
      "validation_failed",
    ],
    [
      "half a recording",
      async () => (await convert(question, "m4a")).subarray(0, 2_000),
      422,
      "validation_failed",
    ],
    ["too much", () => tone(70, 0), 413, "payload_too_large"],
    [
      "eleven minutes",
      () => convert(tone(660, 0), "ogg", ["-c:a", "libopus", "-b:a", "8k"]),
      413,
      "payload_too_large",
    ],
  ])("%s is refused before the agent hears of it", async (_, make, status, type) => {
    const asked = models.requests.length;
    const file = await make();
    for (const path of ["/chat/voice", "/chat/voice/transcribe"]) {
      const refused = await post(service.url + path, file, { user_id: "alice" });
      expect([refused.status, errorOf(refused.body).type]).toEqual([status, type]);
    }
    expect(models.requests.length).toBe(asked);
  });

  test("forms that are wrong", async () => {
    const url = `${service.url}/chat/voice`;
    const json = await client.send("POST", "/chat/voice", { user_id: "alice" });
    expect(json.status).toBe(415);
    const none = await post(url, null, { user_id: "alice" });
    expect(errorOf(none.body).details).toMatchObject([{ path: "/audio_file" }]);
    const odd = await post(url, question, { user_id: "alice", on_busy: "maybe", speed: "fast" });
    expect(errorOf(odd.body).details?.map(({ path }) => path)).toEqual(["/on_busy", "/speed"]);
    expect((await post(url, question, { session_id: "nonsense" })).status).toBe(404);
    const sessionId = await client.session("alice");
    const stolen = await post(url, question, { session_id: sessionId, user_id: "mallory" });
    expect(stolen.status).toBe(404);
    const broken = await fetch(url, {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=x" },
      body: '--x\r\nContent-Disposition: form-data; name="audio_file"; filename="a"\r\n\r\nhalf',
    });
    expect(broken.status).toBe(400);
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`f${index}`, "x"]));
    expect((await post(url, question, many)).status).toBe(413);
  });

  test("the same request twice is one message", async () => {
    const sessionId = await client.session("dave");
    const ask = async () => {
      const form = new FormData();
      form.set("audio_file", new Blob([Uint8Array.from(question)]), "a.wav");
      form.set("session_id", sessionId);
      form.set("enable_tts", "false");
      const headers = { "idempotency-key": "voice-1" };
      const response = await fetch(`${service.url}/chat/voice`, {
        method: "POST",
        body: form,
        headers,
      });
      return (await response.json()) as Json;
    };
    const [first, second] = [await ask(), await ask()];
    expect(second["message_id"]).toBe(first["message_id"]);
    expect(first["audio_response"]).toBeNull();
    const history = await client.get<{ messages: Json[] }>(`/chat/history/${sessionId}`);
    expect(history.body.messages).toHaveLength(2);
  });

  test("English and Chinese in one text, each by a voice that can", async () => {
    const { bytes } = await synthesize(service.url, {
      text: "现在几点了？",
      speed: 0.75,
    });
    expect(await recognize(bytes, chineseGrammar)).toBe("现在几点了");
    const mixed = await synthesize(service.url, { text: "What time is it? 现在几点了？" });
    expect(mixed.response.status).toBe(200);
    expect(readWav(mixed.bytes)!.samples.length).toBeGreaterThan(40_000);
  });
});

describeSpeech("Chinese, heard and spoken", () => {
  let service: TestService;
  let models: OpenAiServer;

  beforeAll(async () => {
    models = await startOpenAiServer({ respond: repeat });
    service = await startService({
      env: {
        OPENAI_BASE_URL: models.url,
        VOICE_STT_COMMAND: JSON.stringify(["pocketsphinx", ...chineseGrammar]),
        VOICE_STT_LANGUAGE: "zh",
      },
    });
  });
  afterAll(async () => {
    await service.stop();
    await models.close();
  });

  test.each<[string, string, string[]]>([
    ["你好", "webm", ["-c:a", "libopus"]],
    ["谢谢", "wav", []],
    ["再见", "mp3", []],
    ["开灯", "m4a", []],
    ["关灯", "ogg", ["-c:a", "libopus"]],
    ["今天天气怎么样", "mp3", []],
    ["请帮我定闹钟", "m4a", []],
    ["现在几点了", "webm", ["-c:a", "libopus"]],
    ["播放音乐", "wav", []],
  ])("%s, as %s", async (phrase, extension, args) => {
    const file = await convert(await speakChinese(phrase), extension, args);
    const { body } = await post(`${service.url}/chat/voice`, file, {
      user_id: "王伟",
      speed: "0.75",
    });
    expect(plain(String(body["processed_message"]))).toBe(phrase);
    expect(plain(String(body["response"]))).toBe(phrase);
    expect(await recognize(data(body["audio_response"]), chineseGrammar)).toBe(phrase);
  });
});

describeSpeech("a speech server that fails", () => {
  let service: TestService;
  let server: SpeechTestServer;
  let client: Client;

  beforeAll(async () => {
    server = await startSpeechServer();
    service = await startService({
      env: { VOICE_API_URL: server.url, VOICE_API_KEY: "k", VOICE_TTS_VOICE: "rms" },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await server.close();
  });

  const question = {
    user_id: "erin",
    message: "What is 15% of 80?",
    voice_config: { enable_tts: true },
  };

  test("it is used while it works", async () => {
    server.deviate({});
    const { body } = await client.send<Json>("POST", "/chat/message", question);
    expect(body["audio_response"]).toMatchObject({ format: "wav" });
    expect(server.requests.some(({ path }) => path === "/v1/audio/speech")).toBe(true);
    const { response } = await synthesize(service.url, { text: "Hello world.", format: "mp3" });
    expect(response.headers.get("content-type")).toBe("audio/mpeg");
  });

  test.each([
    { refuse: { times: 999, status: 503 } },
    { cut: "within" },
    { nonsense: "html" },
  ] as const)("with %j the engines of this machine take over", async (deviations) => {
    server.deviate(deviations);
    const { body } = await client.send<Json>("POST", "/chat/message", question);
    expect(body).toMatchObject({ status: "complete", audio_response: { format: "wav" } });
    expect(plain(await recognize(data(body["audio_response"])))).not.toBe("");
  });

  test("speech without anybody to take over fails, the text does not", async () => {
    const lonely = await startService({
      env: { VOICE_API_URL: server.url, VOICE_TTS_PROVIDER: "openai", VOICE_TTS_VOICE: "rms" },
    });
    server.deviate({ cut: "within" });
    const { body } = await createClient(lonely.url).send<Json>("POST", "/chat/message", question);
    expect(body).toMatchObject({ status: "complete", audio_response: null });
    const message = await createClient(lonely.url).get<Json>(
      `/chat/message/${String(body["message_id"])}`,
    );
    expect(message.body["audio"]).toMatchObject({ status: "failed", code: "speech_failed" });
    // It has begun: all that is left is to cut it off.
    await expect(synthesize(lonely.url, { text: "Hello." })).rejects.toThrow("terminated");
    expect(lonely.output()).not.toContain("15% of 80");
    expect(await lonely.stop()).toBe(0);
    await server.settled();
  });
});
