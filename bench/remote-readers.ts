import { createServer, connect } from "node:net";
import { createParser } from "eventsource-parser";
import pg from "pg";
import { startPostgres } from "../test/support/postgres.ts";
import { startStage, type Stage } from "../test/support/stage.ts";
import { cpuMs, databaseCpuMs } from "./processes.ts";

const replies = 20;
const words = 200;
const wordMs = 30;

/** Readers of replies that another node makes, on PostgreSQL alone and with Redis, and what could have carried them. */
export async function benchRemoteReaders(): Promise<void> {
  await benchCarriers();
  console.log(
    `readers on another node: ${replies} replies at once of ${words} words, one every ${wordMs} ms`,
  );
  for (const redis of ["none", "single"] as const) {
    const stage = await startStage({ nodes: 2, redis });
    if (stage === null) continue;
    const name = redis === "none" ? "PostgreSQL alone" : "with Redis";
    await measure(stage, false);
    const unwatched = await measure(stage, false);
    const watched = await measure(stage, true);
    console.log(
      `  ${name}: behind the owner's own readers by p50 ${watched.late(0.5)} ms, p95 ${watched.late(0.95)} ms, ` +
        `most ${watched.late(1)} ms; of ${watched.expected} events ${watched.missing} missing, ${watched.doubled} doubled`,
    );
    console.log(
      `    CPU for a word: owner ${unwatched.ownerUs.toFixed(0)} µs unwatched from elsewhere, ${watched.ownerUs.toFixed(0)} watched ` +
        `(${(watched.ownerUs / unwatched.ownerUs).toFixed(2)}); PostgreSQL ${unwatched.databaseUs.toFixed(0)} and ` +
        `${watched.databaseUs.toFixed(0)} µs`,
    );
    await stage.stop();
  }
}

async function measure(stage: Stage, isWatched: boolean) {
  const owner = stage.node(0).process;
  const before = { owner: cpuMs(owner), database: databaseCpuMs(stage.postgres.port) };
  const made = await Promise.all(
    Array.from({ length: replies }, async (_, index) => {
      const sessionId = await stage.client(0).session(`user${index}`);
      const id = Promise.withResolvers<string>();
      const near = arrivals(
        `${stage.node(0).url}/chat/message/stream`,
        { session_id: sessionId, message: `slow ${words} ${wordMs}` },
        id.resolve,
      );
      const replyId = await id.promise;
      const far = isWatched
        ? arrivals(`${stage.node(1).url}/chat/message/${replyId}/stream`)
        : null;
      return { near: await near, far: await far };
    }),
  );
  const all = replies * words;
  const lates: number[] = [];
  let expected = 0;
  let missing = 0;
  let doubled = 0;
  for (const { near, far } of made) {
    if (far === null) continue;
    const seen = new Map<number, number>();
    for (const [id, atMs] of far) {
      if (seen.has(id)) doubled += 1;
      seen.set(id, atMs);
    }
    // The first ones were there before anybody could follow.
    for (const [id, atMs] of near.slice(10)) {
      expected += 1;
      const there = seen.get(id);
      if (there === undefined) missing += 1;
      else lates.push(there - atMs);
    }
  }
  lates.sort((a, b) => a - b);
  return {
    late: (share: number) =>
      (lates[Math.min(lates.length - 1, Math.floor(lates.length * share))] ?? Number.NaN).toFixed(
        0,
      ),
    expected,
    missing,
    doubled,
    ownerUs: ((cpuMs(owner) - before.owner) * 1_000) / all,
    databaseUs: ((databaseCpuMs(stage.postgres.port) - before.database) * 1_000) / all,
  };
}

/** The number of each event and when it came. */
async function arrivals(
  url: string,
  body?: object,
  onId?: (replyId: string) => void,
): Promise<[number, number][]> {
  const response = await fetch(url, {
    ...(body !== undefined && {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  });
  if (response.body === null) throw new Error(`${response.status}`);
  onId?.(response.headers.get("x-message-id") ?? "");
  const seen: [number, number][] = [];
  const parser = createParser({
    onEvent({ id, data }) {
      if (data !== "[DONE]") seen.push([Number(id), performance.now()]);
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body) parser.feed(decoder.decode(chunk, { stream: true }));
  return seen;
}

const events = 3_000;
const eventMs = 2;
const payload = "x".repeat(250);

/** 500 events of 250 bytes a second from one connection to another, in the ways that were weighed. */
async function benchCarriers(): Promise<void> {
  const postgres = await startPostgres({ own: true });
  if (postgres === null) return;
  const url = await postgres.freshDatabase();
  const open = async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return client;
  };
  const [sender, receiver] = [await open(), await open()];
  await sender.query(
    "CREATE UNLOGGED TABLE told (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at float8, text text)",
  );
  await receiver.query("LISTEN told");
  console.log(`what could carry events between nodes: ${events} of ${payload.length} bytes`);

  const run = async (
    name: string,
    carry: (
      lates: number[],
    ) => Promise<{ send: (sentMs: number) => unknown; end?: () => Promise<void> | void }>,
  ) => {
    const lates: number[] = [];
    const { send, end } = await carry(lates);
    const before = databaseCpuMs(postgres.port);
    await new Promise<void>((resolve) => {
      let sent = 0;
      const timer = setInterval(() => {
        send(performance.now());
        if ((sent += 1) < events) return;
        clearInterval(timer);
        setTimeout(resolve, 500);
      }, eventMs);
    });
    const used = databaseCpuMs(postgres.port) - before;
    await end?.();
    lates.sort((a, b) => a - b);
    const at = (share: number) => lates[Math.floor((lates.length - 1) * share)]?.toFixed(1);
    console.log(
      `  ${name}: ${lates.length} came, after p50 ${at(0.5)} ms, p95 ${at(0.95)} ms; PostgreSQL ${((used * 1_000) / events).toFixed(0)} µs an event`,
    );
  };
  /** What waits goes together, at most every 15 ms. */
  const paced = (write: (batch: readonly number[]) => Promise<unknown>) => {
    let waiting: number[] = [];
    let isBusy = false;
    return async (sentMs: number) => {
      waiting.push(sentMs);
      if (isBusy) return;
      isBusy = true;
      while (waiting.length > 0) {
        const batch = waiting;
        waiting = [];
        await write(batch);
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
      isBusy = false;
    };
  };
  const notified = (lates: number[]) => {
    receiver.removeAllListeners("notification");
    receiver.on("notification", ({ payload: text = "" }) => {
      for (const each of text.split(";"))
        lates.push(performance.now() - Number(each.split(" ")[0]));
    });
  };

  await run("NOTIFY, one statement each", async (lates) => {
    notified(lates);
    return {
      send: (sentMs) => sender.query("SELECT pg_notify('told', $1)", [`${sentMs} ${payload}`]),
    };
  });
  await run("NOTIFY, what comes within 15 ms together", async (lates) => {
    notified(lates);
    return {
      send: paced((batch) => {
        // A payload takes some thirty of them.
        const payloads = Array.from({ length: Math.ceil(batch.length / 25) }, (_, index) =>
          batch
            .slice(index * 25, index * 25 + 25)
            .map((sentMs) => `${sentMs} ${payload}`)
            .join(";"),
        );
        return sender.query(
          "SELECT count(pg_notify('told', text)) FROM unnest($1::text[]) AS text",
          [payloads],
        );
      }),
    };
  });
  await run(
    "an unlogged table, what comes within 15 ms together, looked at every 50 ms",
    async (lates) => {
      let last = 0;
      let looking = Promise.resolve();
      const look = async () => {
        const { rows } = await receiver.query<{ number: string; at: number }>(
          "SELECT number, at, text FROM told WHERE number > $1 ORDER BY number",
          [last],
        );
        for (const { number, at } of rows) {
          last = Number(number);
          lates.push(performance.now() - at);
        }
        await sender.query("DELETE FROM told WHERE number <= $1", [last - 1_000]);
      };
      const timer = setInterval(() => {
        looking = looking.then(look);
      }, 50);
      return {
        send: paced((batch) =>
          sender.query(
            "INSERT INTO told (at, text) SELECT at, $2 FROM unnest($1::float8[]) AS at",
            [batch, payload],
          ),
        ),
        async end() {
          clearInterval(timer);
          await looking;
        },
      };
    },
  );
  await run("a connection from node to node", async (lates) => {
    const server = createServer((socket) => {
      let rest = "";
      socket.on("data", (chunk: Buffer) => {
        const lines = (rest + chunk.toString()).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) lates.push(performance.now() - Number(line.split(" ")[0]));
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const address = server.address();
    const socket = connect(typeof address === "object" && address !== null ? address.port : 0);
    return {
      send: (sentMs) => socket.write(`${sentMs} ${payload}\n`),
      end() {
        socket.destroy();
        server.close();
      },
    };
  });
  await sender.end();
  await receiver.end();
  await postgres.stop();
}
