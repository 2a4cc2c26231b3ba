import { createHash } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import {
  createChatClient,
  type TalkEvent,
  type TalkOptions,
} from "../../packages/client/src/index.ts";
import { readWav, samplesToBytes } from "../../src/voice/wav.ts";
import { lastUserText, startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { pythonForClient, startPythonDriver, type Raised } from "../support/python-client.ts";
import { missingPrograms } from "../support/speech-programs.ts";
import { createDataDir, startService, type TestService } from "../support/start-service.ts";

/** Recognises the question, or, where there is no recogniser, takes whatever it hears for it. */
const recogniser =
  missingPrograms.length === 0
    ? "pocketsphinx"
    : JSON.stringify(["sh", "-c", 'test -s "$1" && echo what time is it', "sh", "{input}"]);

/** Behind the first event of a type these methods are called, `$message` being its message, up to the event `until`. */
interface Script {
  readonly named: TalkOptions;
  readonly on: Readonly<Record<string, readonly (readonly [name: string, ...args: unknown[]])[]>>;
  readonly until: string;
}

interface SpeakerOptions {
  readonly url?: string;
  readonly user?: string | null;
  readonly token?: string;
  /** In place of one that was refused; then the token is asked for. */
  readonly freshToken?: string;
  readonly apiKey?: string;
}

/** What a client does, in whatever language it is written. */
interface Speaker {
  connect(options?: SpeakerOptions): Promise<void>;
  /** With what the client has asked for its token since this was asked last. */
  asked(): Promise<readonly (string | null)[]>;
  transcribe(wav: Uint8Array): Promise<string>;
  /** The events of the answer to a recording, and how much of it had gone. */
  send(wav: Uint8Array): Promise<{ events: TalkEvent[]; shares: number[] }>;
  audio(id: string): Promise<Uint8Array>;
  /** Rejects with what the client raises. */
  converse(script: Script, told?: (event: TalkEvent) => void): Promise<TalkEvent[]>;
  close(): Promise<void>;
}

let model: OpenAiServer;
let service: TestService;
let dataDir: string;
let question: Uint8Array;

const start = async () => {
  const env = { MODELS_API_URL: model.url, VOICE_STT_COMMAND: recogniser };
  service = await startService({ dataDir, env });
};

beforeAll(async () => {
  model = await startOpenAiServer({
    respond: (request) => ({ tokens: lastUserText(request).match(/\S+\s*/g) ?? [] }),
  });
  dataDir = await createDataDir();
  await start();
  const client = createChatClient({ baseUrl: service.url, userId: "ann" });
  const body = { text: "what time is it", voice: "rms", format: "wav" } as const;
  question = new Uint8Array(await (await client.voice.synthesize(body)).arrayBuffer());
});
afterAll(async () => {
  await service.stop();
  await model.close();
  await rm(dataDir, { recursive: true, force: true });
});

function typescript(): Speaker {
  const asked: (string | null)[] = [];
  const connect = (options: SpeakerOptions = {}) => {
    const { url = service.url, user = "ann", token, freshToken, apiKey } = options;
    let current = token;
    const ask = (refused: string | null) => {
      asked.push(refused);
      if (refused !== null) current = freshToken;
      return current;
    };
    return createChatClient({
      baseUrl: url,
      userId: user,
      ...(apiKey !== undefined && { apiKey }),
      ...(token !== undefined && { token: freshToken === undefined ? token : ask }),
    });
  };
  let client = connect();
  return {
    async connect(options) {
      client = connect(options);
    },
    asked: async () => asked.splice(0),
    transcribe: async (wav) =>
      (await client.voice.transcribe(new Blob([wav.slice()]), { language: "en" })).text,
    async send(wav) {
      const shares: number[] = [];
      const reply = client.voice.send(
        { audio: new Blob([wav.slice()]), language: "en", enable_tts: true, format: "wav" },
        { onProgress: (share) => shares.push(share) },
      );
      const events: TalkEvent[] = [];
      for await (const event of reply) events.push({ ...event, stream: "reply" });
      return { events, shares };
    },
    audio: async (id) => new Uint8Array(await (await client.voice.audio(id)).arrayBuffer()),
    async converse({ named, on, until }, told = () => {}) {
      const talk = client.voice.talk(named);
      const events: TalkEvent[] = [];
      for await (const event of talk) {
        const isFirst = events.every(({ type }) => type !== event.type);
        events.push(event);
        told(event);
        for (const [name, ...args] of isFirst ? (on[event.type] ?? []) : []) {
          const given = args.map((each) =>
            each === "$message" ? (event as { message_id?: string }).message_id : each,
          );
          if (name === "sound") {
            const samples = new Int16Array(
              Uint8Array.from(Buffer.from(String(given[0]), "base64")).buffer,
            );
            for (let at = 0; at < samples.length; at += 800)
              talk.sound(samples.slice(at, at + 800));
          } else (talk[name as "played"] as (...args: unknown[]) => void)(...given);
        }
        if (event.type === until) break;
      }
      for await (const event of talk) throw new Error(`still open: ${event.type}`);
      return events;
    },
    close: async () => {},
  };
}

async function python(program: string, mode: "async" | "sync"): Promise<Speaker> {
  const py = await startPythonDriver(program, mode);
  const connect = (options: SpeakerOptions = {}) => {
    const { url = service.url, user = "ann", token, freshToken, apiKey } = options;
    return py.connect("ann", url, {
      user_id: user,
      api_key: apiKey,
      token,
      fresh_token: freshToken,
    });
  };
  await connect();
  const file = (wav: Uint8Array) => ({
    $file: ["question.wav", Buffer.from(wav).toString("base64")],
  });
  const raise = (error: Error) => {
    const { kind, text, ...members } = error.cause as Raised;
    throw Object.assign(new Error(`${kind}: ${text}`), members);
  };
  return {
    async connect(options) {
      await connect(options);
    },
    asked: async () => (await py.noted()).asked,
    transcribe: async (wav) =>
      (await py.call<{ text: string }>("ann", "voice.transcribe", [file(wav)], { language: "en" }))
        .text,
    async send(wav) {
      await py.noted();
      const fields = { language: "en", enable_tts: true, format: "wav" };
      const reply = await py.call<{ reply: number; sessionId: string; messageId: string }>(
        "ann",
        "voice.send",
        [file(wav)],
        { ...fields, on_progress: { $note: "shares" } },
      );
      return { events: await py.read<TalkEvent>(reply), shares: (await py.noted()).shares };
    },
    audio: async (id) => {
      const { bytes } = await py.call<{ bytes: string }>("ann", "voice.audio", [id]);
      return Buffer.from(bytes, "base64");
    },
    async converse(script, told = () => {}) {
      const events: TalkEvent[] = [];
      const after = await py
        .converse("ann", script, (event: TalkEvent) => {
          events.push(event);
          told(event);
        })
        .catch(raise);
      expect(after).toEqual([]);
      return events;
    },
    close: () => py.close(),
  };
}

const program = await pythonForClient();
const speakers: Readonly<Record<string, () => Speaker | Promise<Speaker>>> = {
  TypeScript: typescript,
  ...(program !== null && {
    "Python with await": () => python(program, "async"),
    "Python without": () => python(program, "sync"),
  }),
};

describe.each(Object.keys(speakers))("speech by the client in %s", (name) => {
  let speaker: Speaker;
  /** The question, and silence around it. */
  const spoken = () => {
    const samples = readWav(question)?.samples ?? new Int16Array();
    const whole = new Int16Array(24_000 + samples.length);
    whole.set(samples, 8_000);
    return Buffer.from(samplesToBytes(whole)).toString("base64");
  };

  beforeAll(async () => {
    speaker = (await speakers[name]?.()) as Speaker;
  });
  afterAll(() => speaker.close());

  it("a recording goes up, and its answer comes back as text and as sound", async () => {
    expect(await speaker.transcribe(question)).toBe("what time is it");
    const { events, shares } = await speaker.send(question);
    expect(events[0]).toMatchObject({ type: "user_message", message: "what time is it" });
    expect(shares.at(-1)).toBe(1);
    const heard = events.find(({ type }) => type === "audio_response");
    const { audio } = heard as unknown as { audio: { audio_id: string } };
    expect(readWav(await speaker.audio(audio.audio_id))?.samples.length).toBeGreaterThan(0);
  });

  it("a spoken conversation goes both ways, and ends when its loop is left", async () => {
    const events = await speaker.converse({
      named: { language: "en", voice_config: { format: "wav" } },
      on: { voice_started: [["sound", spoken()]], audio_chunk: [["played", "$message", 200]] },
      until: "conversation_complete",
    });
    expect(events.map(({ type }) => type).slice(0, 4)).toEqual([
      "voice_started",
      "speech_started",
      "speech_ended",
      "transcript",
    ]);
    expect(events.at(-1)).toMatchObject({ full_response: "what time is it", stream: "reply" });
  });

  it("a turn ends when one says so; a reply is stopped, and told again to who resumes it", async () => {
    model.enqueue({ tokens: ["One. ", "Two. "], fault: { kind: "hang" } });
    const events = await speaker.converse({
      named: { language: "en", turn_detection: "manual", voice_config: { enable_tts: false } },
      on: {
        voice_started: [["sound", spoken()], ["commit"]],
        assistant_chunk: [["interrupt", "$message"]],
      },
      until: "cancelled",
    });
    expect(events.find(({ type }) => type === "speech_ended")).toMatchObject({ reason: "commit" });
    const cancelled = events.at(-1) as { message_id: string; session_id: string; seq: number };
    const told = await speaker.converse({
      named: { session_id: cancelled.session_id },
      on: { voice_started: [["resume", cancelled.message_id, cancelled.seq - 1]] },
      until: "cancelled",
    });
    expect(told.map(({ type }) => type)).toEqual(["voice_started", "cancelled"]);
  });

  it("how far it was heard is told when a reply is spoken over", async () => {
    model.enqueue({ tokens: ["One two three. ", "Four five six. "], fault: { kind: "hang" } });
    const events = await speaker.converse({
      named: { language: "en", voice_config: { format: "wav" } },
      on: {
        voice_started: [["sound", spoken()]],
        audio_chunk: [
          ["played", "$message", 100],
          ["interrupt", "$message", 300],
        ],
      },
      until: "playback_interrupted",
    });
    expect(events.map(({ type }) => type)).toContain("stop_playback");
    expect(events.at(-1)).toMatchObject({ played_ms: 300 });
  });

  it("says what the service has against it, and that it was cut off", async () => {
    const script = { on: {}, until: "voice_started" };
    await expect(speaker.converse({ ...script, named: { sample_rate: 1 } })).rejects.toMatchObject({
      status: 422,
      type: "validation_failed",
    });
    const listening = speaker.converse({ named: {}, on: {}, until: "nothing" }, ({ type }) => {
      if (type === "voice_started") void service.kill();
    });
    await expect(listening).rejects.toThrow(
      /^(ConnectionError: )?The spoken conversation was cut off$/,
    );
    await start();
    await speaker.connect();
  });

  it("says what it is told to, word for word, and closes the connection when its loop is left", async () => {
    const line = await startLine();
    await speaker.connect({ url: line.url, token: "the token", apiKey: "the key" });
    const samples = samplesToBytes(Int16Array.from([1, -2, 300]));
    await speaker.converse({
      named: { language: "en", voice_config: { speed: 1.5 } },
      on: {
        voice_started: [
          ["sound", Buffer.from(samples).toString("base64")],
          ["commit"],
          ["played", "m", 100],
          ["played", "m", 400, true],
          ["interrupt", "m"],
          ["interrupt", "m", 300],
          ["resume", "m", 7],
        ],
      },
      until: "voice_started",
    });
    await line.closed;
    expect(line.credentials()).toEqual(["the token"]);
    expect(line.user()).toBe("ann");
    expect(line.heard).toEqual([
      { type: "voice_start", language: "en", voice_config: { speed: 1.5 } },
      Buffer.from(samples),
      { type: "voice_commit" },
      { type: "played", message_id: "m", played_ms: 100 },
      { type: "played", message_id: "m", played_ms: 400, stopped: true },
      { type: "interrupt", message_id: "m" },
      { type: "interrupt", message_id: "m", played_ms: 300 },
      { type: "resume", message_id: "m", after: 7 },
    ]);
    line.end();
    await speaker.connect();
  });

  it("ends the loop without a fault when it is closed from within", async () => {
    const on = { voice_started: [["close"]] } as const;
    const events = await speaker.converse({ named: {}, on, until: "nothing" });
    expect(events.map(({ type }) => type)).toEqual(["voice_started"]);
  });

  it("needs no token where nobody is asked for one, and does no harm with it", async () => {
    await speaker.connect({ token: "of-somewhere-else" });
    const events = await speaker.converse({ named: {}, on: {}, until: "voice_started" });
    expect(events).toMatchObject([{ type: "voice_started" }]);
    await speaker.connect();
  });

  describe("where everybody has to say who he is", () => {
    const listen = () => speaker.converse({ named: {}, on: {}, until: "voice_started" });
    const { url, tokenFor, apiKey } = lockedService();
    const connect = (options: SpeakerOptions) =>
      speaker.connect({ url: url(), user: null, ...options });
    afterAll(() => speaker.connect());

    it("listens with a token, and with an API key", async () => {
      await connect({ token: await tokenFor("10m") });
      expect(await listen()).toMatchObject([{ type: "voice_started" }]);
      await connect({ apiKey });
      expect(await listen()).toMatchObject([{ type: "voice_started" }]);
    });

    it("asks for another token once when the one it has has run out", async () => {
      const token = await tokenFor("-1m");
      await connect({ token, freshToken: await tokenFor("10m") });
      expect(await listen()).toMatchObject([{ type: "voice_started" }]);
      expect(await speaker.asked()).toEqual([null, token]);
      await connect({ token, freshToken: await tokenFor("-2m") });
      await expect(listen()).rejects.toMatchObject({ status: 401, type: "unauthorized" });
      expect(await speaker.asked()).toEqual([null, token]);
      await connect({ token, freshToken: token });
      await expect(listen()).rejects.toMatchObject({ status: 401, type: "unauthorized" });
      expect(await speaker.asked()).toEqual([null, token]);
    });

    it("says that it is refused with a wrong key, and with a token that has run out", async () => {
      for (const options of [{ apiKey: "wrong" }, { token: await tokenFor("-1m") }]) {
        await connect(options);
        await expect(listen()).rejects.toMatchObject({ status: 401, type: "unauthorized" });
      }
    });
  });
});

/** A service that listens, with tokens and one API key. */
function lockedService() {
  const secret = "a secret of the tests, long enough for HS256";
  const apiKey = "the-key-of-a-service";
  const sha256 = createHash("sha256").update(apiKey).digest("hex");
  let locked: TestService;
  beforeAll(async () => {
    locked = await startService({
      env: {
        AUTH_MODE: "jwt",
        SECURITY_CLOCK_SKEW_SECONDS: "0",
        SECURITY_SECRET_KEY: secret,
        AUTH_API_KEYS: JSON.stringify([{ name: "robot", sha256, user_id: "robot" }]),
        MODELS_API_URL: model.url,
        VOICE_STT_COMMAND: recogniser,
      },
    });
  });
  afterAll(() => locked.stop());
  return {
    apiKey,
    url: () => locked.url,
    tokenFor: (life: string) =>
      new SignJWT({ user_id: "ann", roles: [] })
        .setProtectedHeader({ alg: "HS256" })
        .setExpirationTime(life)
        .sign(new TextEncoder().encode(secret)),
  };
}

/** The other end of one spoken conversation, which writes down what comes and never hangs up. */
async function startLine() {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const heard: (Buffer | { readonly type: string })[] = [];
  const shown: (string | undefined)[] = [];
  const closed = Promise.withResolvers<void>();
  let user: string | null = null;
  server.on("connection", (socket, { url, headers }) => {
    user = new URL(url ?? "", "ws://line").searchParams.get("user_id");
    const { authorization } = headers;
    if (authorization !== undefined) shown.push(authorization.replace("Bearer ", ""));
    const tell = (type: string) => socket.send(JSON.stringify({ type }));
    // Who shows something in a header is let in at once, as by the service.
    if (authorization !== undefined) tell("connection_established");
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) return void heard.push(data);
      const said = JSON.parse(data.toString()) as { readonly type: string; token?: string };
      if (said.type === "auth") {
        shown.push(said.token);
        return tell("connection_established");
      }
      heard.push(said);
      if (said.type === "voice_start") tell("voice_started");
    });
    socket.on("close", () => closed.resolve());
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard,
    closed: closed.promise,
    credentials: () => shown,
    user: () => user,
    end: () => server.close(),
  };
}
