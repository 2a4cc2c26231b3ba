import { setTimeout as delay } from "node:timers/promises";
import { SignJWT } from "jose";
import { freePort } from "../test/support/backends.ts";
import { createClient } from "../test/support/client.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { createDataDir, startService, type TestService } from "../test/support/start-service.ts";
import { EventReader } from "./event-readers.ts";
import { cpuMs, databaseCpuMs, residentMiB, startScript } from "./processes.ts";

/** Open streams of a node: most wait for something to happen. */
const talking = 100;
const silent = 100;
const readersOfSilent = 20;
const users = 3_950;
const devices = 2;
const watchMs = 60_000;
/** So many connect at a time while they come one after the other. */
const atOnce = 50;

const secret = "a secret of the bench that is long enough";

type Kind = "talking" | "silent" | "sessions";
interface Reader {
  readonly kind: Kind;
  readonly user: string;
  readonly stream: EventReader;
  readonly seen: { readonly id: number; readonly type: string }[];
}

/** Ten thousand readers of one node: what each holds, what they cost, and how they all come back when the node has died. */
export async function benchReaders(): Promise<void> {
  const postgres = await startPostgres({ own: true });
  const upstream = await startScript("upstream.ts", 1_000);
  const port = await freePort();
  const dataDir = await createDataDir();
  const env = {
    PORT: String(port),
    MODELS_API_URL: `http://127.0.0.1:${upstream.port}/v1`,
    AUTH_MODE: "jwt",
    SECURITY_SECRET_KEY: secret,
    LIMITS_MAX_VIEWERS: "12000",
    ...(postgres !== null && { DATABASE_URL: await postgres.freshDatabase() }),
    ...(process.env["BENCH_NODE_OPTIONS"] !== undefined && {
      NODE_OPTIONS: process.env["BENCH_NODE_OPTIONS"],
    }),
  };
  const start = () => startService({ env, dataDir, hasRates: true });
  let service = await start();
  const tokenOf = await tokens();
  const lates: number[] = [];
  const readers: Reader[] = [];

  const read = async (kind: Kind, user: string, path: string, into = readers) => {
    const seen: Reader["seen"] = [];
    const stream = new EventReader({
      port,
      path,
      token: await tokenOf(user),
      onEvent({ id, data, atMs }) {
        const { type, chunk } = JSON.parse(data) as { type: string; chunk?: string };
        seen.push({ id, type });
        const writtenMs = /^at(\d+) $/.exec(chunk ?? "")?.[1];
        if (kind === "talking" && writtenMs !== undefined) lates.push(atMs - Number(writtenMs));
      },
    });
    into.push({ kind, user, stream, seen });
    await stream.open();
  };
  const begin = async (user: string, message: string): Promise<string> => {
    const client = createClient(service.url, { authorization: `Bearer ${await tokenOf(user)}` });
    const { status, body } = await client.send<{ message_id: string }>(
      "POST",
      "/chat/message",
      { message },
      { prefer: "respond-async" },
    );
    if (status !== 202) throw new Error(`send: ${status} ${JSON.stringify(body)}`);
    return `/chat/message/${body.message_id}/stream`;
  };

  // What compilers and pools hold once there have been any is not a reader's.
  const first: Reader[] = [];
  await inBatches(
    Array.from(
      { length: 500 },
      (_, index) => () => read("sessions", `first${index}`, "/sessions/events", first),
    ),
  );
  for (const { stream } of first) stream.close();
  await delay(5_000);

  const before = residentMiB(service.process);
  const openedMs = performance.now();
  await inBatches([
    ...Array.from({ length: talking }, (_, index) => async () => {
      const user = `talking${index}`;
      await read("talking", user, await begin(user, "100000 1000"));
    }),
    ...Array.from({ length: silent }, (_, index) => async () => {
      const user = `silent${index}`;
      const path = await begin(user, "100000 20000");
      for (let each = 0; each < readersOfSilent; each += 1) await read("silent", user, path);
    }),
    ...Array.from({ length: users }, (_, index) => async () => {
      for (let each = 0; each < devices; each += 1) {
        await read("sessions", `user${index}`, "/sessions/events");
      }
    }),
  ]);
  const openSeconds = (performance.now() - openedMs) / 1_000;
  const each = () => ((residentMiB(service.process) - before) * 1024) / readers.length;
  const opened = each();
  lates.length = 0;
  const cpuBefore = cpuMs(service.process);
  const databaseBefore = postgres === null ? 0 : databaseCpuMs(postgres.port);
  const asked = await askBeside(service, await tokenOf("talking0"), watchMs);
  const share = (milliseconds: number) => `${((milliseconds / watchMs) * 100).toFixed(0)} %`;
  console.log(
    `readers: ${readers.length} open streams (${talking} of replies that talk, one event a second each; ${silent * readersOfSilent} of ` +
      `${silent} silent replies; ${users * devices} of what happens to the sessions of ${users} users), opened in ${openSeconds.toFixed(1)} s`,
  );
  console.log(
    `  memory of each: ${opened.toFixed(1)} KiB when they were open, ${each().toFixed(1)} KiB after ${watchMs / 1_000} s`,
  );
  console.log(
    `  delivery: p50 ${at(lates, 0.5)} ms, p99 ${at(lates, 0.99)} ms of ${lates.length} events; another request: p50 ${at(asked, 0.5)} ms, p99 ${at(asked, 0.99)} ms`,
  );
  console.log(
    `  CPU: ${share(cpuMs(service.process) - cpuBefore)} of a core` +
      (postgres === null
        ? ""
        : `, PostgreSQL ${share(Math.max(0, databaseCpuMs(postgres.port) - databaseBefore))}`),
  );
  if (process.env["BENCH_HOLD"] !== undefined) {
    console.log(`pid ${service.process.pid}`);
    await delay(Number(process.env["BENCH_HOLD"]));
  }

  // The storm: of all whose stream has not ended.
  const marks = readers.map(({ seen }) => seen.length);
  for (const { stream } of readers) stream.expectAnother();
  await service.kill();
  const killedMs = performance.now();
  service = await start();
  const readyMs = performance.now();
  const isServed = ({ stream }: Reader) => stream.isServed;
  while (
    !readers.every(({ stream }) => stream.isAnswered) &&
    performance.now() - readyMs < 120_000
  ) {
    await delay(20);
  }
  const answeredMs = performance.now();
  while (!readers.every(isServed) && performance.now() - readyMs < 120_000) await delay(20);
  const servedMs = performance.now();
  const left = readers.filter((reader) => !isServed(reader)).length;
  // Each sees what happens next, once.
  const sessions = readers.filter(({ kind }) => kind === "sessions");
  const told = new Set(sessions.filter((_, index) => index % 40 === 0).map(({ user }) => user));
  for (const user of told) {
    const client = createClient(service.url, { authorization: `Bearer ${await tokenOf(user)}` });
    await client.session(user);
  }
  await delay(30_000);
  let lost = 0;
  let doubled = 0;
  readers.forEach(({ kind, user, seen }, index) => {
    const since = seen.slice(marks[index]);
    if (kind === "sessions") {
      const times = since.filter(({ type }) => type === "session_created").length;
      const wanted = told.has(user) ? 1 : 0;
      if (times < wanted) lost += 1;
      if (times > wanted || since.some(({ type }) => type === "reset")) doubled += 1;
      return;
    }
    // Their replies ended with the node; all after the last event, or what stands for all of it, and one end.
    const ends = since.filter(({ type }) => type === "error").length;
    if (ends === 0) lost += 1;
    if (ends > 1) doubled += 1;
    const ids = new Set(
      seen.map(({ id, type }) => `${type === "snapshot" ? "snapshot " : ""}${id}`),
    );
    if (ids.size < seen.length) doubled += 1;
  });
  const sum = (of: (stream: EventReader) => number) =>
    readers.reduce((total, { stream }) => total + of(stream), 0);
  console.log(
    `  killed, and started again in ${((readyMs - killedMs) / 1_000).toFixed(1)} s, all come back at once: ${((answeredMs - readyMs) / 1_000).toFixed(1)} s until all are answered, ${((servedMs - readyMs) / 1_000).toFixed(1)} s until all have seen an event (of replies that were lost, their end), ` +
      `${left} are not; ${sum(({ refused }) => refused)} refused, ${sum(({ cut }) => cut)} cut unanswered; ${lost} have lost something, ${doubled} were told something twice; ` +
      `${residentMiB(service.process).toFixed(0)} MiB`,
  );
  for (const { stream } of readers) stream.close();
  upstream.process.kill();
  await service.stop();
  await postgres?.stop();
}

/** Another user's requests meanwhile: how long each takes. */
async function askBeside(service: TestService, token: string, forMs: number): Promise<number[]> {
  const client = createClient(service.url, { authorization: `Bearer ${token}` });
  const took: number[] = [];
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs) {
    const askedMs = performance.now();
    const { status } = await client.get("/sessions");
    if (status !== 200) throw new Error(`sessions: ${status}`);
    took.push(performance.now() - askedMs);
    await delay(200);
  }
  return took;
}

async function inBatches(tasks: readonly (() => Promise<void>)[]): Promise<void> {
  const rest = tasks.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const task of rest) await task();
    }),
  );
}

async function tokens() {
  const made = new Map<string, Promise<string>>();
  const key = new TextEncoder().encode(secret);
  return (user: string): Promise<string> => {
    const token =
      made.get(user) ??
      new SignJWT({ sub: user })
        .setProtectedHeader({ alg: "HS256" })
        .setIssuedAt()
        .setExpirationTime("2h")
        .sign(key);
    made.set(user, token);
    return token;
  };
}

function at(values: readonly number[], share: number): string {
  const sorted = [...values].sort((left, right) => left - right);
  const index = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
  return (sorted[index] ?? Number.NaN).toFixed(0);
}
