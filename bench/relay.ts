import { startPostgres } from "../test/support/postgres.ts";
import { startService } from "../test/support/start-service.ts";
import { cpuMs, median, startScript } from "./processes.ts";

interface Load {
  readonly streams: number;
  readonly everyMs: number;
  readonly tokens: number;
}

/** With the same share of the turn in a token. */
const loads: readonly Load[] = [
  { streams: 50, everyMs: 50, tokens: 200 },
  { streams: 200, everyMs: 20, tokens: 200 },
];
const rounds = 3;
/** Before them, until V8 has compiled what each token calls. */
const warmUpRounds = 3;
/** Of the tokens; what a short answer costs beside them is what a turn costs. */
const shortPart = 1 / 10;
/** Requests one after the other, for the time to the first token. */
const singles = 30;
const warmUps = 500;

/** Who relays. */
interface Relay {
  readonly name: string;
  readonly process: Parameters<typeof cpuMs>[0];
  readonly url: string;
  readonly body: (tokens: number) => string;
}

interface Cost {
  /** Each with its share of the turn. */
  readonly tokenUs: number;
  /** What a longer answer costs more. */
  readonly tokenAloneUs: number;
  readonly firstTokenMs: number;
  /** Between two tokens of a stream: longer than asked for where the machine does not keep up. */
  readonly paceMs: number;
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

/** CPU of one process for each token, with all streams at a time; the first token is timed with one stream at a time. */
async function measure(relay: Relay, load: Load): Promise<Cost> {
  const { streams, tokens } = load;
  const alone: number[] = [];
  for (let index = 0; index < singles; index += 1) {
    alone.push(await readFirst(relay.url, relay.body(1)));
  }
  const few = tokens * shortPart;
  const spentUs = async (count: number) => {
    const before = cpuMs(relay.process);
    await Promise.all(
      Array.from({ length: streams }, () => readStream(relay.url, relay.body(count))),
    );
    return ((cpuMs(relay.process) - before) * 1000) / streams;
  };
  const short = await spentUs(few);
  const startedMs = performance.now();
  const long = await spentUs(tokens);
  return {
    paceMs: (performance.now() - startedMs) / tokens,
    tokenUs: long / tokens,
    tokenAloneUs: (long - short) / (tokens - few),
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
  const postgres = await startPostgres();
  const databaseUrl = await postgres?.freshDatabase();
  for (const load of loads) await benchLoad(load, databaseUrl);
  await postgres?.stop();
}

async function benchLoad(load: Load, databaseUrl: string | undefined): Promise<void> {
  const upstream = await startScript("upstream.ts", load.everyMs);
  const bare = await startScript("bare-relay.ts", upstream.port);
  const direct = `http://127.0.0.1:${upstream.port}/v1`;
  const env = { OPENAI_BASE_URL: direct };
  const embedded = await startService({ env });
  const services = [{ name: "embedded", service: embedded }];
  if (databaseUrl !== undefined) {
    const service = await startService({ env: { ...env, DATABASE_URL: databaseUrl } });
    services.push({ name: "PostgreSQL", service });
  }
  const chat = (count: number) =>
    JSON.stringify({
      model: "bench",
      stream: true,
      messages: [{ role: "user", content: `${count}` }],
    });
  const relays: readonly Relay[] = [
    {
      name: "bare relay",
      process: bare.process,
      url: `http://127.0.0.1:${bare.port}/`,
      body: chat,
    },
    ...services.map(({ name, service }) => ({
      name,
      process: service.process,
      url: `${service.url}/chat/message/stream`,
      body: (count: number) =>
        JSON.stringify({ user_id: `user-${Math.random()}`, message: `${count}` }),
    })),
  ];
  // Until the compilers have done their work, which for the embedded database takes some hundred statements.
  for (let index = 0; index < warmUps; index += 1) {
    await Promise.all(relays.map(({ url, body }) => readFirst(url, body(1))));
  }
  for (let round = 0; round < warmUpRounds; round += 1) {
    for (const relay of relays) await measure(relay, load);
  }
  const directMs: number[] = [];
  const costs = relays.map((): Cost[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (let index = 0; index < singles; index += 1) {
      directMs.push(await readFirst(`${direct}/chat/completions`, chat(1)));
    }
    for (const [index, relay] of relays.entries()) {
      const cost = await measure(relay, load);
      costs[index]?.push(cost);
      // A run that somebody stops has shown what it had.
      console.error(
        `relay: ${load.streams} streams, round ${round + 1} of ${rounds}, ${relay.name}: ${cost.tokenAloneUs.toFixed(0)} us a token without its turn, one every ${cost.paceMs.toFixed(0)} ms`,
      );
    }
  }
  const { streams, tokens, everyMs } = load;
  console.log(
    `relay: ${streams} streams, ${tokens} tokens each, one every ${everyMs} ms, ${rounds} rounds; first token without a relay ${median(directMs).toFixed(1)} ms`,
  );
  const [ofBare = []] = costs;
  for (const [index, { name }] of relays.entries()) {
    const own = costs[index] ?? [];
    const of = (pick: (cost: Cost) => number) => median(own.map(pick));
    // Of what was measured one after the other: shared machines change their speed within minutes.
    const ratio = (pick: (cost: Cost) => number) =>
      median(own.map((cost, round) => pick(cost) / pick(ofBare[round] ?? cost))).toFixed(2);
    console.log(
      `  ${name}: CPU of a token ${of((cost) => cost.tokenUs).toFixed(0)} us (${ratio((cost) => cost.tokenUs)} x bare), without its turn ${of((cost) => cost.tokenAloneUs).toFixed(0)} us (${ratio((cost) => cost.tokenAloneUs)} x bare); one came every ${of((cost) => cost.paceMs).toFixed(0)} ms; first token ${(of((cost) => cost.firstTokenMs) - median(directMs)).toFixed(1)} ms later`,
    );
  }
  for (const { service } of services) await service.kill();
  upstream.process.kill();
  bare.process.kill();
}
