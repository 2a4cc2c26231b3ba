import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createClient } from "../support/client.ts";
import { eventually } from "../support/stage.ts";
import { createDataDir, startService, type TestService } from "../support/start-service.ts";

type Json = Record<string, unknown>;

let dataDir: string;
let temporary: string;

beforeEach(async () => {
  dataDir = await createDataDir();
  temporary = await mkdtemp(join(tmpdir(), "speech-faults-"));
});
afterEach(async () => {
  await rm(dataDir, { recursive: true, force: true });
  await rm(temporary, { recursive: true, force: true });
});

const start = (env: Record<string, string>) =>
  startService({ dataDir, env: { TMPDIR: temporary, SERVER_DRAIN_SECONDS: "0", ...env } });

/** Processes that descend from this one. */
async function descendants(pid: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    // It may have ended since the folder was read.
    const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "");
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
  }
  const found = [pid];
  for (const ancestor of found) {
    for (const [child, parent] of parents) if (parent === ancestor) found.push(child);
  }
  return found.slice(1);
}

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && stat.slice(stat.lastIndexOf(")") + 2)[0] !== "Z";
}

const pidOf = (service: TestService) => service.process.pid ?? 0;
const filesLeft = () => readdir(temporary);

/** A program that starts another one, and neither ends, politely asked or not. */
async function hangingProgram(): Promise<string> {
  const path = join(dataDir, "hang");
  await writeFile(path, "#!/bin/sh\ntrap '' TERM\nsleep 1000 &\nwhile :; do sleep 1000; done\n");
  await chmod(path, 0o700);
  return path;
}

test("a model that kills its process: the text arrives, the speech is told to have failed", async () => {
  const model = join(dataDir, "kokoro");
  await mkdir(model);
  for (const name of ["model.onnx", "voices.bin", "tokens.txt"])
    await writeFile(join(model, name), "");
  // As the real library ends with a model of another kind: at once, with its process.
  const library = join(dataDir, "node_modules/sherpa-onnx-node");
  await mkdir(library, { recursive: true });
  await writeFile(
    join(library, "index.js"),
    "exports.OfflineTts = { createAsync: () => process.exit(255) };",
  );
  const service = await start({
    VOICE_TTS_PROVIDER: "sherpa",
    VOICE_TTS_MODEL: model,
    VOICE_TTS_LANGUAGE: "en",
  });
  const client = createClient(service.url);
  for (let turn = 0; turn < 2; turn++) {
    const { body } = await client.send<Json>("POST", "/chat/message", {
      user_id: "alice",
      message: "What is 2 + 2?",
      voice_config: { enable_tts: true },
    });
    expect(body).toMatchObject({ success: true, status: "complete", audio_response: null });
    const message = await client.get<Json>(`/chat/message/${String(body["message_id"])}`);
    expect(message.body["audio"]).toMatchObject({ status: "failed" });
    expect((message.body["audio"] as Json)["code"]).toMatch(/^(speech_failed|voice_unavailable)$/);
  }
  expect((await client.get<Json>("/health")).status).toBe(200);
  const children = await descendants(pidOf(service));
  expect(await service.stop()).toBe(0);
  for (const pid of children) expect(await isAlive(pid)).toBe(false);
  expect(await filesLeft()).toEqual([]);
});

test("a program that hangs ends with the reply, with the caller, and with the service", async () => {
  const program = await hangingProgram();
  const service = await start({
    VOICE_TTS_COMMAND: JSON.stringify([program, "{text_file}", "{output}"]),
    VOICE_TTS_LANGUAGE: "en",
    VOICE_STT_COMMAND: JSON.stringify([program, "{input}"]),
  });
  const client = createClient(service.url);
  const running = async () => (await descendants(pidOf(service))).length >= 2;
  const gone = async () =>
    (await descendants(pidOf(service))).length === 0 && (await filesLeft()).length === 0;
  const speaks = () =>
    client.stream({
      user_id: "bob",
      message: "What is 2 + 2?",
      voice_config: { enable_tts: true, stream_audio: true },
    });

  const reply = await speaks();
  const { message_id: messageId } = await reply.next(({ type }) => type === "user_message");
  await eventually("the program runs", running);
  // The text is there, although nobody says it.
  await reply.next((event) => event.type === "assistant_chunk" && event["finished"] === true);
  await client.send("POST", `/chat/message/${String(messageId)}/cancel`);
  expect((await reply.all()).at(-1)?.type).toBe("cancelled");
  await eventually("it has ended with the reply", gone);

  const caller = new AbortController();
  const sound = await fetch(`${service.url}/chat/voice/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text: "Hello.", voice: "rms" }),
    signal: AbortSignal.timeout(30_000),
  }).catch(() => null);
  // A voice of flite's is flite's: that one works on.
  expect(sound?.status).toBe(200);
  const recording = new FormData();
  recording.set("audio_file", new Blob([await sound!.arrayBuffer()]), "a.wav");
  const heard = fetch(`${service.url}/chat/voice/transcribe`, {
    method: "POST",
    body: recording,
    signal: caller.signal,
  });
  await eventually("the program runs", running);
  caller.abort();
  await expect(heard).rejects.toThrow("abort");
  await eventually("it has ended with the caller", gone);

  await speaks();
  await eventually("the program runs", running);
  const children = await descendants(pidOf(service));
  expect(await service.stop()).toBe(0);
  for (const pid of children) expect(await isAlive(pid)).toBe(false);
  expect(await filesLeft()).toEqual([]);
});

test("callers who go away in the midst of sound harm nobody", async () => {
  const service = await start({});
  const client = createClient(service.url);
  const { body } = await client.send<Json>("POST", "/chat/message", {
    user_id: "carol",
    message: "What is 2 + 2?",
    voice_config: { enable_tts: true },
  });
  const { url } = body["audio_response"] as { url: string };
  const ask = [
    (signal: AbortSignal) => fetch(service.url + url, { headers: { range: "bytes=9-" }, signal }),
    (signal: AbortSignal) =>
      fetch(`${service.url}/chat/voice/synthesize`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ text: "One two three. Four five six. Seven eight nine." }),
        signal,
      }),
  ];
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const caller = new AbortController();
        const answer = ask[index % 2]!(caller.signal);
        // At all moments: before the request is out, while it is answered, in the midst of the answer.
        for (let turn = 0; turn < index * round; turn++) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        caller.abort();
        await answer.then((response) => response.arrayBuffer()).catch(() => undefined);
      }),
    );
  }
  expect((await fetch(service.url + url)).status).toBe(200);
  expect(service.output()).not.toContain("nobody has caught");
  // Also where connections were opened ahead of requests that never came.
  expect(await service.stop()).toBe(0);
});
