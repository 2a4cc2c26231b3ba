import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { processorMs, residentMiB } from "../../bench/processes.ts";
import { writeWav } from "../../src/voice/wav.ts";
import { createClient } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { startInstantTranscriber, type InstantTranscriber } from "./instant-transcriber.ts";
import { createHonestClient, percentile, type Sample } from "./honest-client.ts";
import { attackNames, type AttackName, type HostilePlan } from "./hostile-client.ts";

/** `HOSTILE=long`: each attack by itself and all together, for longer; the short form has them all at once. */
const isLong = process.env["HOSTILE"] === "long";
/** As many before as meanwhile: the slowest hundredth of few is another thing than that of many. */
const samples = isLong ? 600 : 160;
const maxAttackMs = isLong ? 40_000 : 8_000;
const plans: readonly (readonly AttackName[])[] = isLong
  ? [...attackNames.map((name) => [name]), attackNames]
  : [attackNames];

/** So much slower may an honest client's slowest hundredth become, compared with the quiet before it. */
const maxSlowdown = 5;
/** A shorter one in the quiet is no measure: collections of garbage and what else a machine does are as long. */
const leastQuietMs = 100;
/** deploy/kubernetes/chat-service.yaml gives a node so much. */
const maxResidentMiB = 1024;
/** Node takes so much of 1 GiB for its heap, where it sees that limit. */
const heapMiB = 512;
/** The machine has other work too: a measurement that went wrong is made anew. */
const attempts = 3;

const secretKey = "a secret for tests, 32 bytes or more";
const authorize = async (user: string) =>
  `Bearer ${await new SignJWT({ sub: user })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(secretKey))}`;

const postgres = await startPostgres();
let model: OpenAiServer;
let transcriber: InstantTranscriber;
let directory: string;
let bombs: readonly string[];
beforeAll(async () => {
  model = await startOpenAiServer();
  transcriber = await startInstantTranscriber("what the recording says");
  directory = await mkdtemp(join(tmpdir(), "chat-hostile-"));
  bombs = await writeBombs(directory);
});
afterAll(async () => {
  await model.close();
  await transcriber.close();
  await postgres?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Ten minutes of silence, and what looks like the beginning of files that are much longer. */
async function writeBombs(folder: string): Promise<string[]> {
  const silence = writeWav({ samples: new Int16Array(599 * 8_000), sampleRateHz: 8_000 });
  const endless = Buffer.from(silence.subarray(0, 200_000));
  endless.writeUInt32LE(0xffff_ffff, 40);
  const frames = Buffer.alloc(2_000_000, Buffer.from([0xff, 0xfb, 0x90, 0x64]));
  const files = { "silence.wav": silence, "endless.wav": endless, "frames.mp3": frames };
  return Promise.all(
    Object.entries(files).map(async ([name, bytes]) => {
      const path = join(folder, name);
      await writeFile(path, bytes);
      return path;
    }),
  );
}

const kinds = ["embedded", ...(postgres === null ? [] : ["postgres"])];
describe.each(kinds)("one who means harm beside others (%s)", (kind) => {
  let service: TestService;
  let honest: Awaited<ReturnType<typeof createHonestClient>>;
  let target: Pick<HostilePlan, "url" | "authorization" | "replyId" | "sessionId">;

  beforeAll(async () => {
    const databaseUrl = kind === "postgres" ? await postgres?.freshDatabase() : undefined;
    service = await startService({
      hasRates: true,
      env: {
        AUTH_MODE: "jwt",
        SECURITY_SECRET_KEY: secretKey,
        MODELS_API_URL: model.url,
        VOICE_STT_PROVIDER: "openai",
        VOICE_STT_API_URL: transcriber.url,
        NODE_OPTIONS: `--max-old-space-size=${heapMiB}`,
        ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
      },
    });
    const authorization = await authorize("mallory");
    const hostile = createClient(service.url, { authorization });
    // A history whose pages are as large as they get, and a reply that is long to stream.
    const sessionId = await hostile.session("mallory");
    model.enqueue({ tokens: Array.from({ length: 500 }, () => "word ".repeat(400)) });
    const { body } = await hostile.send<{ message_id: string }>("POST", "/chat/message", {
      session_id: sessionId,
      message: "much",
    });
    for (let times = 0; times < 10; times++) {
      model.enqueue({ tokens: ["word ".repeat(200_000)] });
      await hostile.send("POST", "/chat/message", { session_id: sessionId, message: "more" });
    }
    target = { url: service.url, authorization, replyId: body.message_id, sessionId };
    const people = Array.from({ length: 60 }, (_, index) => authorize(`person ${index}`));
    honest = await createHonestClient({
      url: service.url,
      authorizations: await Promise.all(people),
    });
    await honest.use(60); // warm
  });
  afterAll(async () => {
    honest?.close();
    await service?.kill();
  });

  test.each(plans.map((attacks) => ({ name: attacks.join(", "), attacks })))(
    "$name",
    async ({ attacks }) => {
      let last = { slowdown: Infinity, refused: [] as Sample[] };
      for (let attempt = 0; attempt < attempts && last.slowdown >= maxSlowdown; attempt++) {
        const quiet = await honest.use(samples);
        const memory = watchMemory(service.process);
        const startedAt = processorMs(service.process);
        const attacker = await attack({ ...target, attacks, bombs });
        const loud = await honest.use(samples, maxAttackMs).finally(() => attacker.kill("SIGKILL"));
        await once(attacker, "exit");
        const peak = memory.stop();
        const share = shareOfProcessor(startedAt, processorMs(service.process));
        const before = Math.max(leastQuietMs, percentile(quiet, 0.99));
        const during = percentile(loud, 0.99) * share;
        last = {
          slowdown: during / before,
          refused: loud.filter(({ status }) => status !== 200),
        };
        process.stdout.write(
          `[figure] ${kind}, ${attacks.join(" + ")}: p99 ${before.toFixed(0)} ms of ${quiet.length} before, ` +
            `${during.toFixed(0)} ms of ${loud.length} meanwhile (${last.slowdown.toFixed(1)} ×), ` +
            `with ${(100 * share).toFixed(0)} % of the processor it wanted; ` +
            `${peak.toFixed(0)} MiB at most, ${last.refused.length} refused\n`,
        );
        expect(service.process.exitCode).toBeNull();
        expect(peak).toBeLessThan(maxResidentMiB);
        expect(last.refused).toEqual([]);
      }
      expect(last.slowdown).toBeLessThan(maxSlowdown);
    },
    attempts * (2 * maxAttackMs + 10_000),
  );
});

/** What the service got of the processor time that it could have used: the rest went to other work of this machine. */
function shareOfProcessor(from: Processor, to: Processor): number {
  const ran = to.ran - from.ran;
  return ran / (ran + to.waited - from.waited);
}

type Processor = ReturnType<typeof processorMs>;

/** Under way when this resolves. */
async function attack(plan: HostilePlan): Promise<ChildProcess> {
  const program = join(import.meta.dirname, "hostile-client.ts");
  const child = spawn(process.execPath, [program, JSON.stringify(plan)], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  return child;
}

/** What the process has of the machine's memory, looked at ten times a second. */
function watchMemory(child: ChildProcess): { stop(): number } {
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, residentMiB(child));
  }, 100);
  return {
    stop() {
      clearInterval(timer);
      return peak;
    },
  };
}
