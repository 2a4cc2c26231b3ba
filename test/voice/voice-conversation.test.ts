import { afterAll, beforeAll, expect, test } from "vitest";
import { readWav, samplesToBytes, writeWav } from "../../src/voice/wav.ts";
import { createClient, type Client } from "../support/client.ts";
import { lastUserText, startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { convert, describeSpeech, plain, recognize } from "../support/speech-programs.ts";
import { startService, type TestService } from "../support/start-service.ts";
import {
  connectSocket,
  type SocketClient,
  type SocketMessage,
} from "../support/web-socket-client.ts";

type Json = Record<string, unknown>;

const is = (type: string) => (message: SocketMessage) => message.type === type;
const of = (type: string, messageId: unknown) => (message: SocketMessage) =>
  message.type === type && message["message_id"] === messageId;

async function connect(service: TestService, query: string): Promise<SocketClient> {
  const client = connectSocket(`${service.url}/chat/ws?${query}`);
  await client.next(is("connection_established"));
  return client;
}

/** Begins to listen; resolves with the answer. */
async function listen(client: SocketClient, more: object = {}): Promise<SocketMessage> {
  const from = client.messages.length;
  client.send({ type: "voice_start", ...more });
  return client.next((message) => ["voice_started", "error"].includes(message.type), from);
}

/** Sends sound as a microphone does, but faster: frames of 20 ms. */
function play(client: SocketClient, samples: Int16Array, sampleRateHz = 16_000): void {
  const bytes = samplesToBytes(samples);
  const frameBytes = (sampleRateHz / 50) * 2;
  for (let at = 0; at < bytes.length; at += frameBytes) {
    client.socket.send(bytes.subarray(at, at + frameBytes), { binary: true });
  }
}

const silence = (seconds: number, sampleRateHz = 16_000) => new Int16Array(seconds * sampleRateHz);

const tone = (seconds: number, amplitude: number) =>
  Int16Array.from(
    { length: seconds * 16_000 },
    (_, index) => amplitude * Math.sin((2 * Math.PI * 220 * index) / 16_000),
  );

describeSpeech("a spoken conversation over a WebSocket", () => {
  let models: OpenAiServer;
  let service: TestService;
  let client: Client;
  let question: Int16Array;

  const speak = async (text: string) => {
    const response = await fetch(`${service.url}/chat/voice/synthesize`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text, voice: "rms" }),
    });
    return readWav(new Uint8Array(await response.arrayBuffer()))!.samples;
  };

  /** Says it, and is silent afterwards. */
  const say = (to: SocketClient, samples: Int16Array) => {
    play(to, samples);
    play(to, silence(1));
  };

  const chunksOf = (socket: SocketClient, messageId: unknown) =>
    socket.messages.filter(of("audio_chunk", messageId)) as unknown as {
      sequence: number;
      format: string;
      data: string;
      text: string;
      start_ms: number;
      duration_ms: number;
      sample_rate: number;
      text_start: number;
      text_end: number;
    }[];

  const messagesOf = async (sessionId: unknown) => {
    const { body } = await client.get<{ messages: Json[] }>(`/chat/history/${String(sessionId)}`);
    return body.messages;
  };

  beforeAll(async () => {
    models = await startOpenAiServer({
      respond: (request) => ({ tokens: lastUserText(request).match(/\S+\s*/g) ?? [] }),
    });
    service = await startService({
      env: {
        OPENAI_BASE_URL: models.url,
        VOICE_STT_COMMAND: "pocketsphinx",
        VOICE_MAX_LISTENERS: "3",
      },
    });
    client = createClient(service.url);
    question = await speak("what time is it");
  });
  afterAll(async () => {
    expect(await service.stop()).toBe(0);
    await models.close();
  });

  test("somebody speaks, is understood and hears the answer; twice in one session", async () => {
    const socket = await connect(service, "user_id=alice");
    expect(await listen(socket, { language: "en" })).toMatchObject({
      type: "voice_started",
      session_id: null,
      sample_rate: 16_000,
      turn_detection: "auto",
      format: "opus",
      speech: true,
    });
    play(socket, silence(0.5));
    say(socket, question);
    const end = await socket.next(is("conversation_complete"));
    const noticed = socket.messages.filter(({ utterance }) => utterance === 1);
    expect(noticed.map(({ type }) => type)).toEqual([
      "speech_started",
      "speech_ended",
      "transcript",
    ]);
    const [started, ended, transcript] = noticed as [SocketMessage, SocketMessage, SocketMessage];
    expect(ended["reason"]).toBe("silence");
    const spokenMs = question.length / 16;
    expect(Number(started["at_ms"])).toBeGreaterThan(400);
    expect(Number(started["at_ms"])).toBeLessThan(900);
    expect(Number(ended["duration_ms"])).toBeGreaterThan(spokenMs * 0.5);
    expect(Number(ended["duration_ms"])).toBeLessThan(spokenMs + 300);
    expect(transcript).toMatchObject({ text: "what time is it", language: "en" });
    expect(end).toMatchObject({ full_response: "what time is it" });
    // In the order in which they are of use.
    const order = socket.messages.map(({ type }) => type);
    expect(order.indexOf("transcript")).toBeLessThan(order.indexOf("user_message"));
    const [chunk] = chunksOf(socket, end["message_id"]);
    expect(chunk).toMatchObject({ sequence: 1, format: "opus", start_ms: 0, text_start: 0 });
    expect(chunk!.text_end).toBe("what time is it".length);
    expect(await recognize(Buffer.from(chunk!.data, "base64"))).toBe("what time is it");

    const [asked, answered] = await messagesOf(end["session_id"]);
    expect(asked).toMatchObject({ role: "user", content: "what time is it" });
    const recording = asked!["audio"] as { url: string; format: string };
    expect(recording.format).toBe("wav");
    const kept = new Uint8Array(
      await (await fetch(`${service.url}${recording.url}?user_id=alice`)).arrayBuffer(),
    );
    expect(await recognize(kept)).toBe("what time is it");
    expect(answered).toMatchObject({ status: "complete", audio: { status: "complete" } });

    // The listener has heard it all: speaking again interrupts nothing.
    socket.send({
      type: "played",
      message_id: end["message_id"],
      played_ms: chunk!.duration_ms,
      stopped: true,
    });
    say(socket, question);
    const second = await socket.next(
      (message) =>
        message.type === "conversation_complete" && message["message_id"] !== end["message_id"],
    );
    expect(second["session_id"]).toBe(end["session_id"]);
    expect(socket.messages.some(is("stop_playback"))).toBe(false);
    expect(await messagesOf(end["session_id"])).toHaveLength(4);
    socket.socket.close();
  });

  test("at 48 kHz, ended by the client, answered in WAV", async () => {
    const wav = writeWav({ samples: question, sampleRateHz: 16_000 });
    const fine = readWav(await convert(wav, "wav", ["-ar", "48000"]))!;
    const sessionId = await client.session("bob");
    const socket = await connect(service, `session_id=${sessionId}`);
    expect(
      await listen(socket, {
        sample_rate: 48_000,
        turn_detection: "manual",
        voice_config: { format: "wav", voice: "slt" },
      }),
    ).toMatchObject({ session_id: sessionId, turn_detection: "manual", format: "wav" });
    play(socket, silence(2, 48_000), 48_000);
    play(socket, fine.samples, 48_000);
    play(socket, silence(2, 48_000), 48_000);
    socket.send({ type: "voice_commit" });
    expect(await socket.next(is("speech_ended"))).toMatchObject({ reason: "commit" });
    const end = await socket.next(is("conversation_complete"));
    expect(end).toMatchObject({ full_response: "what time is it", session_id: sessionId });
    const [chunk] = chunksOf(socket, end["message_id"]);
    const sound = readWav(Buffer.from(chunk!.data, "base64"))!;
    expect(chunk).toMatchObject({ format: "wav", sample_rate: sound.sampleRateHz });
    expect(Math.round((sound.samples.length / sound.sampleRateHz) * 1000)).toBe(chunk!.duration_ms);
    const from = socket.messages.length;
    socket.send({ type: "voice_commit" });
    expect(await socket.next(is("error"), from)).toMatchObject({ error_type: "bad_request" });
    socket.socket.close();
  });

  test("speaking over a reply stops it; history keeps what was heard, and so does the agent", async () => {
    const held = Promise.withResolvers<void>();
    models.enqueue({
      tokens: ["Please open the door. ", "One two three four five. ", "My name is john."],
      pace: (index) => (index === 2 ? held.promise : undefined),
    });
    const socket = await connect(service, "user_id=carol");
    await listen(socket);
    say(socket, question);
    const first = await socket.next(is("audio_chunk"));
    const messageId = first["message_id"];
    expect(first["text"]).toBe("Please open the door.");
    socket.send({
      type: "played",
      message_id: messageId,
      played_ms: Math.round(Number(first["duration_ms"]) / 4),
    });
    const asked = models.requests.length;
    play(socket, question);
    await socket.next(of("stop_playback", messageId));
    // The player says how far it really came.
    const playedMs = Math.round(Number(first["duration_ms"]) * 0.6);
    socket.send({ type: "played", message_id: messageId, played_ms: playedMs, stopped: true });
    play(socket, silence(1));
    const cut = await socket.next(of("playback_interrupted", messageId));
    held.resolve();
    expect(cut).toMatchObject({ played_ms: playedMs, spoken: "Please open" });
    expect(String(cut["unspoken"])).toMatch(/^ the door\. /);
    expect(await socket.next(of("cancelled", messageId))).toMatchObject({
      reason: "interrupted_by_user",
      full_response: `Please open${String(cut["unspoken"])}`,
    });
    expect(socket.messages.some(of("audio_response", messageId))).toBe(false);
    // What was said meanwhile is the next message; its agent knows what it has really said.
    await socket.next(is("conversation_complete"));
    const { messages } = models.requests[asked]!.body as {
      messages: { role: string; content: string }[];
    };
    expect(messages.filter(({ role }) => role === "assistant")).toEqual([
      { role: "assistant", content: "Please open" },
    ]);
    const history = await messagesOf(first["session_id"]);
    expect(history.map(({ content }) => content)).toEqual([
      "what time is it",
      "Please open",
      "what time is it",
      "what time is it",
    ]);
    expect(history[1]).toMatchObject({ status: "cancelled", unspoken: cut["unspoken"] });
    const searched = await client.get<{ messages: Json[] }>(
      `/chat/history/${String(first["session_id"])}?q=door`,
    );
    expect(searched.body.messages).toEqual([]);
    socket.socket.close();
  });

  test("who speaks twice in a row hears no answer to the first", async () => {
    const socket = await connect(service, "user_id=heidi");
    await listen(socket);
    say(socket, question);
    say(socket, question);
    const [, second] = [
      await socket.next(is("playback_interrupted")),
      await socket.next((message) => message.type === "transcript" && message["utterance"] === 2),
    ];
    const start = await socket.next(is("user_message"), socket.messages.indexOf(second));
    await socket.next(of("conversation_complete", start["message_id"]));
    const history = await messagesOf(start["session_id"]);
    expect(history.map(({ role, content }) => [role, content])).toEqual([
      ["user", "what time is it"],
      ["assistant", ""],
      ["user", "what time is it"],
      // Nothing answered the first: the model is told both, and says both.
      ["assistant", "what time is it\n\nwhat time is it"],
    ]);
    socket.socket.close();
  });

  test("a reply that was written to its end is cut too, and after a lost connection as well", async () => {
    const text = "Please open the door. One two three four five. My name is john.";
    models.enqueue({ tokens: [text] });
    const socket = await connect(service, "user_id=dave");
    await listen(socket, { voice_config: { format: "pcm" } });
    say(socket, question);
    const end = await socket.next(is("conversation_complete"));
    const messageId = end["message_id"];
    const chunks = chunksOf(socket, messageId);
    expect(chunks.map((chunk) => text.slice(chunk.text_start, chunk.text_end).trim())).toEqual(
      chunks.map((chunk) => chunk.text),
    );
    for (const [index, chunk] of chunks.entries()) {
      const before = chunks[index - 1];
      expect(chunk.start_ms).toBe(before ? before.start_ms + before.duration_ms : 0);
      const bytes = Buffer.from(chunk.data, "base64").length;
      expect(Math.round((bytes / 2 / chunk.sample_rate) * 1000)).toBe(chunk.duration_ms);
    }
    // The connection breaks after the first piece; the player goes on with what it has.
    const firstSeq = Number((socket.messages.find(is("audio_chunk")) as Json)["seq"]);
    socket.socket.terminate();
    const again = await connect(service, `session_id=${String(end["session_id"])}`);
    await listen(again);
    again.send({ type: "resume", message_id: messageId, after: firstSeq });
    await again.next(of("conversation_complete", messageId));
    expect(again.messages.filter(is("audio_chunk"))).toEqual(
      socket.messages.filter(is("audio_chunk")).slice(1),
    );
    again.send({ type: "played", message_id: messageId, played_ms: chunks[0]!.duration_ms + 1 });
    play(again, question);
    await again.next(of("stop_playback", messageId));
    // It says no more: what it has said last counts.
    const cut = await again.next(of("playback_interrupted", messageId));
    expect(cut).toMatchObject({ spoken: text.slice(0, chunks[0]!.text_end).trimEnd() });
    const message = await client.get<Json>(`/chat/message/${String(messageId)}`);
    expect(message.body).toMatchObject({
      status: "complete",
      content: cut["spoken"],
      unspoken: cut["unspoken"],
    });
    expect(`${String(cut["spoken"])}${String(cut["unspoken"])}`).toBe(text);
    again.socket.close();
  });

  test("a stop button; what nobody acknowledged was not heard", async () => {
    models.enqueue({ tokens: ["Please open the door. "], fault: { kind: "hang" } });
    const sessionId = await client.session("erin");
    const socket = await connect(service, `session_id=${sessionId}`);
    socket.send({
      type: "chat",
      message: "go on",
      voice_config: { enable_tts: true, stream_audio: true },
    });
    const chunk = await socket.next(is("audio_chunk"));
    socket.send({ type: "interrupt", message_id: chunk["message_id"] });
    expect(await socket.next(is("playback_interrupted"))).toMatchObject({
      played_ms: 0,
      spoken: "",
      unspoken: "Please open the door. ",
    });
    expect((await messagesOf(sessionId))[1]).toMatchObject({ content: "", status: "cancelled" });
    const from = socket.messages.length;
    socket.send({ type: "interrupt", message_id: sessionId });
    expect(await socket.next(is("error"), from)).toMatchObject({ error_type: "message_not_found" });
    socket.socket.close();
  });

  test("without barge-in, what is said over a reply is ignored", async () => {
    const held = Promise.withResolvers<void>();
    models.enqueue({ tokens: ["One two three."], pace: () => held.promise });
    const socket = await connect(service, "user_id=frank");
    await listen(socket, { barge_in: false, voice_config: { enable_tts: false } });
    say(socket, question);
    await socket.next(is("user_message"));
    say(socket, question);
    socket.send({ type: "ping" });
    await socket.next(is("pong"));
    held.resolve();
    await socket.next(is("conversation_complete"));
    expect(socket.messages.filter(is("speech_started"))).toHaveLength(1);
    expect(socket.messages.some(is("audio_chunk"))).toBe(false);
    say(socket, question);
    await socket.next((message) => message.type === "transcript" && message["utterance"] === 2);
    socket.socket.close();
  });

  test("a node listens to so many; a place is free again when somebody stops", async () => {
    const sockets: SocketClient[] = [];
    let answer: SocketMessage;
    do {
      const socket = await connect(service, "user_id=ivan");
      sockets.push(socket);
      answer = await listen(socket);
    } while (answer.type === "voice_started");
    expect(answer).toMatchObject({ error_type: "voice_unavailable" });
    expect(sockets.length).toBeLessThanOrEqual(4);
    const [first, refused] = [sockets[0]!, sockets.at(-1)!];
    first.send({ type: "voice_stop" });
    await first.next(is("voice_stopped"));
    expect(await listen(refused)).toMatchObject({ type: "voice_started" });
    for (const { socket } of sockets) socket.close();
    await Promise.all(sockets.map((socket) => socket.closed()));
  });

  test("a hum is no turn, and what is wrong is told without an end", async () => {
    const socket = await connect(service, "user_id=grace");
    for (const [settings, path] of [
      [{ sample_rate: 4_000 }, "/sample_rate"],
      [{ turn_detection: "never" }, "/turn_detection"],
      [{ voice_config: { format: "midi" } }, "/voice_config/format"],
      [{ voice_config: { voice: "nobody" } }, "/voice"],
      [{ language: "??" }, "/language"],
      [{ user_id: 7 }, "/user_id"],
    ] as const) {
      const refused = await listen(socket, settings);
      expect(refused, JSON.stringify(settings)).toMatchObject({ error_type: "validation_failed" });
      expect((refused["details"] as { path: string }[])[0]!.path).toBe(path);
    }
    expect(await listen(socket, { session_id: "nonsense" })).toMatchObject({
      error_type: "session_not_found",
    });
    await listen(socket);
    for (const [frame, type] of [
      [Buffer.alloc(0), "validation_failed"],
      [Buffer.alloc(641), "validation_failed"],
      [Buffer.alloc(64 * 1024 + 2), "payload_too_large"],
    ] as const) {
      const from = socket.messages.length;
      socket.socket.send(frame, { binary: true });
      expect(await socket.next(is("error"), from)).toMatchObject({ error_type: type });
    }
    play(socket, silence(0.5));
    play(socket, tone(3, 9_000));
    play(socket, silence(1));
    say(socket, question);
    const transcript = await socket.next(is("transcript"));
    expect(plain(String(transcript["text"]))).toBe("what time is it");
    for (const ended of socket.messages.filter(is("speech_ended")).slice(0, -1)) {
      expect(ended["reason"]).toBe("noise");
    }
    await socket.next(is("conversation_complete"));
    // Two minutes at once: nobody speaks so fast.
    const from = socket.messages.length;
    for (let second = 0; second < 120; second++) {
      socket.socket.send(Buffer.alloc(32_000), { binary: true });
    }
    expect(await socket.next(is("error"), from)).toMatchObject({ error_type: "rate_limited" });
    socket.send({ type: "voice_stop" });
    await socket.next(is("voice_stopped"));
    const late = socket.messages.length;
    socket.socket.send(Buffer.alloc(640), { binary: true });
    expect(await socket.next(is("error"), late)).toMatchObject({ error_type: "bad_request" });
    socket.socket.close();
  });
});
