import { startService } from "../test/support/start-service.ts";
import { cpuMs, median, startScript } from "./processes.ts";

const tokens = 200;
const everyMs = 50;
const streams = 50;
const rounds = 2;

interface Load {
  readonly cpuPerTokenUs: number;
  readonly firstTokenMs: number;
}

/** Reads a stream to its end; resolves with the time to the first token. */
async function readStream(url: string, body: string, mark: string): Promise<number> {
  const startedMs = performance.now();
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  if (!response.ok || response.body === null) throw new Error(await response.text());
  let firstMs = Number.NaN;
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    if (Number.isNaN(firstMs) && decoder.decode(chunk).includes(mark)) {
      firstMs = performance.now() - startedMs;
    }
  }
  return firstMs;
}

/** CPU per relayed token of one process, with `streams` at a time; the first token is timed with one stream at a time. */
async function measure(
  process: Parameters<typeof cpuMs>[0],
  url: string,
  body: () => string,
): Promise<Load> {
  const alone: number[] = [];
  for (let index = 0; index < 15; index += 1) {
    const controller = readFirst(url, body());
    alone.push(await controller);
  }
  const before = cpuMs(process);
  await Promise.all(Array.from({ length: streams }, () => readStream(url, body(), "token1 ")));
  return {
    cpuPerTokenUs: ((cpuMs(process) - before) * 1000) / (streams * tokens),
    firstTokenMs: median(alone),
  };
}

/** The time to the first token only; the rest is not waited for. */
async function readFirst(url: string, body: string): Promise<number> {
  const abort = new AbortController();
  const startedMs = performance.now();
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
    signal: abort.signal,
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    if (decoder.decode(chunk).includes("token1 ")) break;
  }
  const tookMs = performance.now() - startedMs;
  abort.abort();
  return tookMs;
}

/** The service beside a bare relay of the same streams, in one run: what a token costs, what the first one waits. */
export async function benchRelay(): Promise<void> {
  const upstream = await startScript("upstream.ts", tokens, everyMs);
  const bare = await startScript("bare-relay.ts", upstream.port);
  const service = await startService({
    env: { OPENAI_BASE_URL: `http://127.0.0.1:${upstream.port}/v1` },
  });
  const chat = JSON.stringify({ model: "bench", stream: true, messages: [] });
  const direct: number[] = [];
  const loads: { bare: Load; service: Load }[] = [];
  const user = () => JSON.stringify({ user_id: `user-${Math.random()}`, message: "go" });
  await measure(service.process, `${service.url}/chat/message/stream`, user);
  for (let round = 0; round < rounds; round += 1) {
    for (let index = 0; index < 15; index += 1) {
      direct.push(await readFirst(`http://127.0.0.1:${upstream.port}/v1/chat/completions`, chat));
    }
    loads.push({
      bare: await measure(bare.process, `http://127.0.0.1:${bare.port}/`, () => chat),
      service: await measure(service.process, `${service.url}/chat/message/stream`, user),
    });
  }
  const of = (pick: (load: { bare: Load; service: Load }) => number) => median(loads.map(pick));
  const bareCpu = of((load) => load.bare.cpuPerTokenUs);
  const serviceCpu = of((load) => load.service.cpuPerTokenUs);
  const directMs = median(direct);
  const serviceMs = of((load) => load.service.firstTokenMs);
  console.log(
    `relay: ${streams} streams, ${tokens} tokens each, one every ${everyMs} ms, ${rounds} rounds`,
  );
  console.log(
    `  CPU per token: bare relay ${bareCpu.toFixed(0)} us, service ${serviceCpu.toFixed(0)} us, ratio ${(serviceCpu / bareCpu).toFixed(2)}`,
  );
  console.log(
    `  first token, median: direct ${directMs.toFixed(1)} ms, service ${serviceMs.toFixed(1)} ms, added ${(serviceMs - directMs).toFixed(1)} ms`,
  );
  upstream.process.kill();
  bare.process.kill();
  await service.kill();
}
