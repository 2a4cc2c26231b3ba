import { afterAll, beforeAll, expect, it } from "vitest";
import { createChatClient, type TalkEvent } from "../../packages/client/src/index.ts";
import { readWav } from "../../src/voice/wav.ts";
import { lastUserText, startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { describeSpeech } from "../support/speech-programs.ts";
import { startService, type TestService } from "../support/start-service.ts";

describeSpeech("speech by the client", () => {
  let model: OpenAiServer;
  let service: TestService;
  let question: Blob;

  const connect = () => createChatClient({ baseUrl: service.url, userId: "ann" });

  beforeAll(async () => {
    model = await startOpenAiServer({
      respond: (request) => ({ tokens: lastUserText(request).match(/\S+\s*/g) ?? [] }),
    });
    service = await startService({
      env: { MODELS_API_URL: model.url, VOICE_STT_COMMAND: "pocketsphinx" },
    });
    const body = { text: "what time is it", voice: "rms", format: "wav" } as const;
    question = await connect().voice.synthesize(body);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  it("a recording goes up, and its answer comes back as text and as sound", async () => {
    const client = connect();
    expect(await client.voice.transcribe(question, { language: "en" })).toMatchObject({
      text: "what time is it",
    });
    const shares: number[] = [];
    const reply = client.voice.send(
      { audio: question, language: "en", enable_tts: true, format: "wav" },
      { onProgress: (share) => shares.push(share) },
    );
    let said = "";
    let audioId: unknown;
    for await (const event of reply) {
      if (event.type === "user_message") said = event.message;
      if (event.type === "audio_response") audioId = event.audio.audio_id;
    }
    expect(said).toBe("what time is it");
    expect(shares.at(-1)).toBe(1);
    const sound = await client.voice.audio(String(audioId));
    expect(readWav(new Uint8Array(await sound.arrayBuffer()))?.samples.length).toBeGreaterThan(0);
  });

  it("a spoken conversation goes both ways, and ends when its loop is left", async () => {
    const samples = readWav(new Uint8Array(await question.arrayBuffer()))?.samples;
    const talk = connect().voice.talk({ language: "en", voice_config: { format: "wav" } });
    const events: TalkEvent[] = [];
    for await (const event of talk) {
      events.push(event);
      if (event.type === "voice_started") {
        for (const sound of [new Int16Array(8_000), samples, new Int16Array(16_000)]) {
          for (let at = 0; at < (sound?.length ?? 0); at += 800) {
            talk.sound(sound?.slice(at, at + 800) ?? new Int16Array());
          }
        }
      }
      if (event.type === "audio_chunk") talk.played(event.message_id, 200);
      if (event.type === "conversation_complete") break;
    }
    const types = events.map(({ type }) => type);
    expect(types.slice(0, 4)).toEqual([
      "voice_started",
      "speech_started",
      "speech_ended",
      "transcript",
    ]);
    expect(events.at(-1)).toMatchObject({ full_response: "what time is it", stream: "reply" });
    for await (const event of talk) throw new Error(`still open: ${event.type}`);
    const { sessions } = await connect().sessions.list();
    expect(sessions).toHaveLength(2);
  });
});
