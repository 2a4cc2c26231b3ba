import { createClient, type Client } from "../test/support/client.ts";
import { startOpenAiServer } from "../test/support/openai-server.ts";
import { missingPrograms } from "../test/support/speech-programs.ts";
import { startService } from "../test/support/start-service.ts";
import { median } from "./processes.ts";

const sentences = 20;
const rounds = 5;
/** Between two tokens: a model that writes 30 of them a second. */
const tokenMs = 33;

const answers = {
  English: {
    sentence: "The next train to the coast leaves in about ten minutes. ",
    tokens: /\s*\S+/g,
  },
  Chinese: { sentence: "下一班开往海边的火车大约十分钟后发车。", tokens: /./gu },
};

interface Times {
  readonly firstAudioMs: number;
  readonly lastTextMs: number;
  readonly endMs: number;
}

async function time(client: Client): Promise<Times> {
  const startedMs = performance.now();
  const stream = await client.stream({
    user_id: "bench",
    message: "go",
    voice_config: { enable_tts: true, stream_audio: true, format: "opus" },
  });
  const since = async (fits: Parameters<typeof stream.next>[0]) => {
    await stream.next(fits);
    return performance.now() - startedMs;
  };
  const [firstAudioMs, lastTextMs, endMs] = await Promise.all([
    since(({ type }) => type === "audio_chunk"),
    since((event) => event.type === "assistant_chunk" && event["finished"] === true),
    since(({ type }) => type === "conversation_complete"),
  ]);
  return { firstAudioMs, lastTextMs, endMs };
}

/** When speech begins while an answer of 20 sentences is still being written, by the engines that need no set-up. */
export async function benchFirstAudio(): Promise<void> {
  console.log(`audio: ${sentences} sentences, a token every ${tokenMs} ms, median of ${rounds}`);
  for (const [language, { sentence, tokens }] of Object.entries(answers)) {
    if (language === "Chinese" && missingPrograms.includes("espeak-ng")) {
      console.log("  Chinese: left out, espeak-ng is not installed");
      continue;
    }
    const answer = sentence.repeat(sentences).match(tokens) ?? [];
    const model = await startOpenAiServer({
      respond: () => ({ tokens: answer, delayMs: tokenMs }),
    });
    const service = await startService({ env: { OPENAI_BASE_URL: model.url } });
    const client = createClient(service.url);
    // The engine's thread starts with its first work.
    await time(client);
    const measured: Times[] = [];
    for (let round = 0; round < rounds; round += 1) measured.push(await time(client));
    const share = (whole: (times: Times) => number) =>
      `${(median(measured.map((times) => times.firstAudioMs / whole(times))) * 100).toFixed(1)} %`;
    const first = median(measured.map(({ firstAudioMs }) => firstAudioMs));
    const written = median(measured.map(({ lastTextMs }) => lastTextMs));
    const end = median(measured.map(({ endMs }) => endMs));
    console.log(
      `  ${language}: first sound after ${first.toFixed(0)} ms, text written after ${written.toFixed(0)} ms, ` +
        `reply complete after ${end.toFixed(0)} ms: ${share((times) => times.lastTextMs)} of the writing, ` +
        `${share((times) => times.endMs)} of the whole`,
    );
    await service.kill();
    await model.close();
  }
}
