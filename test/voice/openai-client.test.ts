import OpenAI, { toFile } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sniffSpeech } from "../../src/voice/sniff-audio.ts";
import { describeSpeech, recognize } from "../support/speech-programs.ts";
import { startSpeechServer, type SpeechTestServer } from "../support/speech-server.ts";

/** Shows that the server of the provider's tests keeps to the contract as its owner's client understands it. */
describeSpeech("the official client and the speech server", () => {
  let server: SpeechTestServer;
  let client: OpenAI;

  beforeAll(async () => {
    server = await startSpeechServer();
    client = new OpenAI({ apiKey: "key", baseURL: server.url, maxRetries: 0 });
  });
  afterAll(() => server.close());

  async function speak(format: "wav" | "mp3" | "opus" | "flac" | "aac"): Promise<Buffer> {
    const response = await client.audio.speech.create({
      model: "tts-1",
      voice: "alloy",
      input: "what time is it",
      response_format: format,
    });
    return Buffer.from(await response.arrayBuffer());
  }

  test.each(["wav", "mp3", "opus", "flac", "aac"] as const)("speaks %s", async (format) => {
    const sound = await speak(format);
    expect(sniffSpeech(sound)).toBe(format);
    expect(await recognize(sound)).toBe("what time is it");
  });

  test("hears", async () => {
    const sound = await speak("mp3");
    const file = () => toFile(sound, "question.mp3");
    const short = await client.audio.transcriptions.create({
      file: await file(),
      model: "whisper-1",
    });
    expect(short.text).toBe("what time is it");
    const long = await client.audio.transcriptions.create({
      file: await file(),
      model: "whisper-1",
      response_format: "verbose_json",
    });
    expect(long).toMatchObject({ text: "what time is it", language: "english" });
    expect(long.duration).toBeGreaterThan(1);
  });

  test("is told what is wrong", async () => {
    const odd = client.audio.transcriptions.create({
      file: await toFile(Buffer.from("hello"), "question.txt"),
      model: "whisper-1",
    });
    await expect(odd).rejects.toMatchObject({ status: 415 });
    const empty = client.audio.speech.create({ model: "tts-1", voice: "alloy", input: "" });
    await expect(empty).rejects.toMatchObject({ status: 400, type: "invalid_request_error" });
  });
});
