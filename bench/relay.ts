import { startService } from "../test/support/start-service.ts";
import { cpuMs, median, startScript } from "./processes.ts";

const tokens = 200;
const everyMs = 50;
const streams = 50;
const rounds = 5;
/** Requests one after the other, for the time to the first token. */
const singles = 30;
const warmUps = 500;

interface Load {
  readonly cpuPerTokenUs: number;
  readonly firstTokenMs: number;
}

async function readStream(url: string, body: string): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  if (!response.ok || response.body === null) throw new Error(await response.text());
  for await (const _ of response.body);
}

/** CPU per relayed token of one process, with `streams` at a time; the first token is timed with one stream at a time. */
async function measure(
  process: Parameters<typeof cpuMs>[0],
  url: string,
  body: (tokens: number) => string,
): Promise<Load> {
  const alone: number[] = [];
  for (let index = 0; index < singles; index += 1) alone.push(await readFirst(url, body(1)));
  const before = cpuMs(process);
  await Promise.all(Array.from({ length: streams }, () => readStream(url, body(tokens))));
  return {
    cpuPerTokenUs: ((cpuMs(process) - before) * 1000) / (streams * tokens),
    firstTokenMs: median(alone),
  };
}

/** The time to the first token of a short answer, which is read to its end. */
async function readFirst(url: string, body: string): Promise<number> {
  const startedMs = performance.now();
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  const decoder = new TextDecoder();
  let tookMs = Number.NaN;
  for await (const chunk of response.body ?? []) {
    if (Number.isNaN(tookMs) && decoder.decode(chunk).includes("token1 ")) {
      tookMs = performance.now() - startedMs;
    }
  }
  return tookMs;
}

/** The service beside a bare relay of the same streams, in one run: what a token costs, what the first one waits. */
export async function benchRelay(): Promise<void> {
  const upstream = await startScript("upstream.ts", everyMs);
  const bare = await startScript("bare-relay.ts", upstream.port);
  const service = await startService({
    env: { OPENAI_BASE_URL: `http://127.0.0.1:${upstream.port}/v1` },
  });
  const chat = (count: number) =>
    JSON.stringify({
      model: "bench",
      stream: true,
      messages: [{ role: "user", content: `${count}` }],
    });
  const direct: number[] = [];
  const loads: { bare: Load; service: Load }[] = [];
  const user = (count: number) =>
    JSON.stringify({ user_id: `user-${Math.random()}`, message: `${count}` });
  // Until the compilers have done their work, which for the embedded database takes some hundred statements.
  for (let index = 0; index < warmUps; index += 1) {
    await Promise.all([
      readFirst(`http://127.0.0.1:${bare.port}/`, chat(1)),
      readFirst(`${service.url}/chat/message/stream`, user(1)),
    ]);
  }
  await measure(bare.process, `http://127.0.0.1:${bare.port}/`, chat);
  await measure(service.process, `${service.url}/chat/message/stream`, user);
  for (let round = 0; round < rounds; round += 1) {
    for (let index = 0; index < singles; index += 1) {
      const url = `http://127.0.0.1:${upstream.port}/v1/chat/completions`;
      direct.push(await readFirst(url, chat(1)));
    }
    loads.push({
      bare: await measure(bare.process, `http://127.0.0.1:${bare.port}/`, chat),
      service: await measure(service.process, `${service.url}/chat/message/stream`, user),
    });
  }
  const of = (pick: (load: { bare: Load; service: Load }) => number) => median(loads.map(pick));
  // Of what was measured one after the other: shared machines change their speed within minutes.
  const ratio = of((load) => load.service.cpuPerTokenUs / load.bare.cpuPerTokenUs);
  const bareCpu = of((load) => load.bare.cpuPerTokenUs);
  const serviceCpu = of((load) => load.service.cpuPerTokenUs);
  const directMs = median(direct);
  const serviceMs = of((load) => load.service.firstTokenMs);
  console.log(
    `relay: ${streams} streams, ${tokens} tokens each, one every ${everyMs} ms, ${rounds} rounds`,
  );
  console.log(
    `  CPU per token: bare relay ${bareCpu.toFixed(0)} us, service ${serviceCpu.toFixed(0)} us, ratio ${ratio.toFixed(2)}`,
  );
  console.log(
    `  first token, median: direct ${directMs.toFixed(1)} ms, service ${serviceMs.toFixed(1)} ms, added ${(serviceMs - directMs).toFixed(1)} ms`,
  );
  upstream.process.kill();
  bare.process.kill();
  await service.kill();
}
