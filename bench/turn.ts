import { readFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { createClient } from "../test/support/client.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { startService, type TestService } from "../test/support/start-service.ts";
import { cpuMs, median, startScript } from "./processes.ts";

const tokens = 20;
/** What the model is asked for (upstream.ts): its tokens a millisecond apart, or all in one write. */
const forms = [
  { form: "token by token", message: `${tokens}` },
  { form: "at once", message: `${tokens} 0` },
] as const;
const rounds = 5;
const turnsOfRound = 300;
const atATime = 8;
/** Until V8 has compiled what is called often: a turn costs half as much again among the first thousands. */
const warmUps = 10_000;
/** One after the other, to count what goes between service and database. */
const counted = 40;

/**
 * What a turn of an existing conversation costs: CPU of the service and of PostgreSQL, statements, round trips; both
 * databases in one run, beside the least that a process can do for a turn.
 */
export async function benchTurn(): Promise<void> {
  const upstream = await startScript("upstream.ts", 0);
  const env = { OPENAI_BASE_URL: `http://127.0.0.1:${upstream.port}/v1` };
  const postgres = await startPostgres();
  if (postgres === null) return;
  const wire = await startWire(postgres.port);
  const url = new URL(await postgres.freshDatabase());
  const name = url.pathname.slice(1);
  url.port = String(wire.port);
  const stores = [
    {
      name: "PostgreSQL",
      service: await startService({ env: { ...env, DATABASE_URL: url.href } }),
    },
    { name: "embedded", service: await startService({ env }) },
  ];
  /** Of the backends that the service is connected to: they stay while it is busy. */
  const backendsMs = async () => {
    const rows = await postgres.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name = 'chat-service'",
      [name],
    );
    return rows
      .map(({ pid }) => Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6)
      .reduce((sum, each) => sum + each, 0);
  };
  const bare = await startScript("bare-turn.ts", upstream.port, await postgres.freshDatabase());
  console.log(`turn: ${tokens} tokens, ${atATime} at a time, ${rounds} rounds of ${turnsOfRound}`);
  for (const { form, message } of forms) {
    for (const { service } of stores) await turns(service, message, warmUps);
    await bareTurns(bare.port, message, warmUps);
    const bareMs: number[] = [];
    const spent: { own: number[]; server: number[] }[] = stores.map(() => ({
      own: [],
      server: [],
    }));
    for (let round = 0; round < rounds; round += 1) {
      const bareBefore = cpuMs(bare.process);
      await bareTurns(bare.port, message, turnsOfRound);
      bareMs.push((cpuMs(bare.process) - bareBefore) / turnsOfRound);
      for (const [index, { service }] of stores.entries()) {
        const before = [cpuMs(service.process), await backendsMs()] as const;
        await turns(service, message, turnsOfRound);
        spent[index]?.own.push((cpuMs(service.process) - before[0]) / turnsOfRound);
        spent[index]?.server.push(((await backendsMs()) - before[1]) / turnsOfRound);
      }
    }
    for (const [index, { name: store }] of stores.entries()) {
      const { own = [], server = [] } = spent[index] ?? {};
      const inServer = index === 0 ? `, PostgreSQL ${median(server).toFixed(2)} ms` : "";
      console.log(
        `  ${form}, ${store}: CPU of a turn: service ${median(own).toFixed(2)} ms${inServer}, ${(median(own) / median(bareMs)).toFixed(1)} times a bare one`,
      );
    }
    console.log(
      `  ${form}, bare, the answer as it comes and three statements that do nothing: ${median(bareMs).toFixed(2)} ms`,
    );
  }
  const [first] = stores;
  if (first === undefined) return;
  const [{ message }] = forms;
  await turns(first.service, message, 1, 1);
  wire.reset();
  await turns(first.service, message, counted, 1);
  const { statements, trips } = wire.seen();
  console.log(
    `  PostgreSQL, one after the other: ${(statements / counted).toFixed(1)} statements and ${(trips / counted).toFixed(1)} round trips a turn`,
  );
  for (const { service } of stores) await service.stop();
  bare.process.kill();
  await postgres.stop();
  wire.close();
  upstream.process.kill();
}

async function bareTurns(port: number, message: string, many: number): Promise<void> {
  let left = many;
  const talk = async () => {
    while (left > 0) {
      left -= 1;
      const body = JSON.stringify({ message });
      await (await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body })).text();
    }
  };
  await Promise.all(Array.from({ length: atATime }, talk));
}

/** So many turns, in conversations of ten turns each. */
async function turns(
  service: TestService,
  message: string,
  many: number,
  together = atATime,
): Promise<void> {
  let left = many;
  const talk = async () => {
    const user = `user-${crypto.randomUUID()}`;
    const client = createClient(service.url);
    while (left > 0) {
      const sessionId = await client.session(user);
      for (let turn = 0; turn < 10 && left > 0; turn += 1) {
        left -= 1;
        const stream = await client.stream({
          session_id: sessionId,
          user_id: user,
          message,
        });
        await stream.all();
      }
    }
  };
  await Promise.all(Array.from({ length: together }, talk));
}

/** Stands between the service and PostgreSQL, and counts. */
async function startWire(target: number) {
  let statements = 0;
  let trips = 0;
  const server = createServer((client: Socket) => {
    const upstream = connect(target, "127.0.0.1").setNoDelay(true);
    client.setNoDelay(true);
    let isAnswered = true;
    let rest = Buffer.alloc(0);
    let isBegun = false;
    client.on("data", (data: Buffer) => {
      if (isAnswered) trips += 1;
      isAnswered = false;
      rest = Buffer.concat([rest, data]);
      if (!isBegun) {
        // The first message has no type, and comes alone.
        isBegun = true;
        rest = Buffer.alloc(0);
      }
      while (rest.length >= 5 && rest.length > rest.readUInt32BE(1)) {
        // Execute, or a simple query.
        if (rest[0] === 0x45 || rest[0] === 0x51) statements += 1;
        rest = rest.subarray(1 + rest.readUInt32BE(1));
      }
      upstream.write(data);
    });
    upstream.on("data", (data: Buffer) => {
      isAnswered = true;
      client.write(data);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen: () => ({ statements, trips }),
    reset() {
      statements = 0;
      trips = 0;
    },
    close: () => server.close(),
  };
}
