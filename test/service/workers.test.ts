import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient } from "../support/client.ts";
import { startGateway } from "../support/gateway-server.ts";
import { textOf, type SeenEvent } from "../support/reply-stream.ts";
import { eventually, startStage, type Stage } from "../support/stage.ts";
import { createDataDir, startService } from "../support/start-service.ts";

/** Or has ended, and nobody has asked how. */
function isGone(pid: number): boolean {
  const path = `/proc/${pid}/stat`;
  return !existsSync(path) || readFileSync(path, "utf8").includes(") Z ");
}

const started = await startStage({
  nodes: 1,
  redis: "none",
  env: {
    SERVER_WORKERS: "3",
    STREAMS_LEASE_SECONDS: "2",
    STREAMS_REAP_SECONDS: "1",
    MONITORING_METRICS_ENABLED: "true",
  },
});

describe.skipIf(started === null)("three workers behind one port", () => {
  let stage: Stage;

  beforeAll(() => {
    stage = started as Stage;
  });
  afterAll(() => stage.stop());

  const isChunk = (event: SeenEvent) => event.type === "assistant_chunk";
  const lines = () =>
    stage
      .node(0)
      .output()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as { msg: string; pid: number; worker?: number });
  /** Raises where nothing is known of it: process 0 would be everybody of the test's own group. */
  const pidOf = (worker: number) =>
    lines().findLast((line) => line.worker === worker && line.msg === "a worker is ready")!.pid;
  const scrape = async () => {
    const { body } = await stage.client(0).get<string>("/metrics");
    return (name: string) =>
      body
        .split("\n")
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };
  type Health = { components: Record<string, { details: Record<string, number> }> };
  const workers = async () =>
    (await stage.client(0).get<Health>("/health/detailed")).body.components["workers"]?.details;

  async function begin(message: string) {
    const client = stage.client(0);
    const sessionId = await client.session("ann");
    const stream = await client.stream({ session_id: sessionId, message });
    const first = await stream.next((event) => event.type === "user_message");
    return { sessionId, stream, replyId: first["message_id"] as string };
  }

  test("all of them serve, each line of the log says which, and migrations ran once", async () => {
    await eventually("all are asked", async () => {
      await Promise.all([1, 2, 3, 4, 5, 6].map(() => stage.client(0).session("ann")));
      const asked = new Set(
        lines()
          .filter(({ msg }) => msg === "request")
          .map(({ worker }) => worker),
      );
      return asked.size === 3;
    });
    expect(lines().filter(({ msg }) => msg === "migrations applied")).toHaveLength(1);
    expect(lines().filter(({ msg }) => msg === "Chat Service is ready")).toHaveLength(1);
    await eventually("they know of each other", async () => (await workers())?.["ready"] === 3);
  });

  test("one scrape has the figures of all, and those that all share once", async () => {
    const before = await scrape();
    for (let sent = 0; sent < 12; sent += 1) {
      const { stream } = await begin("hello");
      await stream.all();
    }
    const sessions = await stage.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM sessions",
    );
    for (let asked = 0; asked < 3; asked += 1) {
      const after = await scrape();
      expect(after("chat_messages_total") - before("chat_messages_total")).toBe(12);
      expect(after("chat_build_info")).toBe(1);
      expect(after("chat_dependency_up")).toBeGreaterThan(0);
      await eventually(
        "the count of sessions",
        async () => (await scrape())("chat_sessions") === sessions[0]?.count,
      );
    }
  });

  test("the JSON of the metrics is of all, whoever answers", async () => {
    type Report = { messages: { total: number }; system: { memory_bytes: { resident: number } } };
    const read = async () => (await stage.client(0).get<Report>("/health/metrics")).body;
    const all = (await scrape())("chat_messages_total");
    expect(all).toBeGreaterThan(0);
    for (let asked = 0; asked < 4; asked += 1) {
      const { messages, system } = await read();
      expect(messages.total).toBe(all);
      // No process of the service is that large.
      expect(system.memory_bytes.resident).toBeGreaterThan(250 * 1024 * 1024);
    }
  });

  test("signals about logs reach all of them through the process that was started", async () => {
    const count = (msg: string) => lines().filter((line) => line.msg === msg).length;
    const child = stage.node(0).process;
    child.kill("SIGHUP");
    await eventually("all have opened their files again", () => count("log files reopened") === 4);
    // DEBUG, and round again.
    for (let turns = 1; turns <= 4; turns += 1) {
      child.kill("SIGUSR2");
      await eventually("all have changed", () => count("log level changed") === 4 * turns);
    }
  });

  test("a reply is followed and cancelled over whatever worker answers", async () => {
    const { stream, replyId } = await begin("slow 5000 20");
    await stream.next(isChunk);
    const viewers = await Promise.all(
      Array.from({ length: 9 }, () => stage.client(0).follow(replyId)),
    );
    for (const viewer of viewers) await viewer.next(isChunk);
    await stage.client(0).send("POST", `/chat/message/${replyId}/cancel`);
    const all = await stream.all();
    expect(all.at(-1)).toMatchObject({ type: "cancelled", full_response: textOf(all) });
    // Where a worker was late to answer, a snapshot stands for some of the events.
    for (const viewer of viewers) {
      const seen = await viewer.all();
      expect(textOf(seen)).toBe(textOf(all));
      expect(seen.at(-1)).toEqual(all.at(-1));
    }
  });

  test("one that is killed amid its replies is replaced; they end as after a crash, and the port stays open", async () => {
    const replies = await Promise.all(Array.from({ length: 9 }, () => begin("slow 5000 20")));
    for (const { stream } of replies) await stream.next(isChunk);
    const before = pidOf(2);
    process.kill(before, "SIGKILL");
    const refused: unknown[] = [];
    const over = new AbortController();
    const asking = (async () => {
      while (!over.signal.aborted) {
        const asked = await fetch(`${stage.node(0).url}/health`).catch((error: unknown) => error);
        // Those that it held are cut; none is refused.
        if (asked instanceof Error && JSON.stringify(asked.cause).includes("ECONNREFUSED")) {
          refused.push(asked);
        }
      }
    })();
    await eventually("another one is ready", () => pidOf(2) !== before);
    await eventually("it is counted", async () => {
      const details = await workers();
      return details?.["ready"] === 3 && details["replaced"] === 1;
    });
    over.abort();
    await asking;
    expect(refused).toEqual([]);
    const ends = await Promise.all(
      replies.map(async ({ replyId, stream }) => {
        await stage.client(0).send("POST", `/chat/message/${replyId}/cancel`);
        await stream.all().catch(() => undefined);
        return (await (await stage.client(0).follow(replyId)).all()).at(-1);
      }),
    );
    for (const end of ends) expect(["error", "cancelled"]).toContain(end?.type);
  });

  test("what is on its way to one that dies is cut, so that nobody waits for it", async () => {
    const victim = pidOf(3);
    // It takes nothing that it is handed.
    process.kill(victim, "SIGSTOP");
    const answers: unknown[] = [];
    // Each on a connection of its own: one that is kept is somebody's already.
    const asked = Array.from({ length: 6 }, async () => {
      const request = get(`${stage.node(0).url}/health`, { agent: false });
      const [answer] = (await once(request, "response").catch(() => [])) as [IncomingMessage?];
      answer?.resume();
      answers.push(answer?.statusCode ?? "cut");
    });
    await eventually("the others answer", () => answers.length === 5);
    process.kill(victim, "SIGKILL");
    await Promise.all(asked);
    expect(answers).toEqual([200, 200, 200, 200, 200, "cut"]);
    await eventually("another one is ready", () => pidOf(3) !== victim);
  });

  test("told to stop, all let their replies end, once, and the service ends with 0", async () => {
    const replies = await Promise.all(Array.from({ length: 6 }, () => begin("slow 60 20")));
    for (const { stream } of replies) await stream.next(isChunk);
    const child = stage.node(0).process;
    // As a service manager does, which tells all processes.
    for (const worker of [1, 2, 3]) process.kill(pidOf(worker), "SIGTERM");
    child.kill("SIGTERM");
    for (const { stream } of replies) {
      expect((await stream.all()).at(-1)?.type).toBe("conversation_complete");
    }
    await eventually("it has ended", () => child.exitCode !== null);
    expect(child.exitCode).toBe(0);
    await stage.startNode(0);
  });

  test("a second signal leaves at once, with all of them", async () => {
    const { stream } = await begin("slow 5000 20");
    await stream.next(isChunk);
    const child = stage.node(0).process;
    child.kill("SIGTERM");
    await eventually("it stops", () => lines().some(({ msg }) => msg.startsWith("stopping")));
    child.kill("SIGTERM");
    await stream.all().catch(() => undefined);
    await eventually("it has ended", () => child.exitCode !== null);
    expect(child.exitCode).toBe(1);
    for (const worker of [1, 2, 3]) {
      await eventually("it is gone", () => isGone(pidOf(worker)));
    }
    await stage.startNode(0);
  });

  const asWorker = (code: string) =>
    `--import=data:text/javascript,${encodeURIComponent(`import cluster from 'node:cluster'; ${code}`)}`;

  test("when they cannot start, it is said why, and given up", async () => {
    const env = {
      DATABASE_URL: stage.databaseUrl,
      SERVER_WORKERS: "2",
      NODE_OPTIONS: asWorker("if (cluster.isWorker) process.exit(3)"),
    };
    await expect(startService({ env })).rejects.toThrow(
      /ended with 1[^]*cannot start: worker \d ended with 3 before it was ready/,
    );
  });

  test("told to stop before they listen, they end, and the service with 0", async () => {
    const held = join(await createDataDir(), "held");
    await writeFile(held, "");
    const main = join(import.meta.dirname, "../../bin/chat-service.mjs");
    // What they are told meanwhile comes before anything of the service is loaded that could hear it.
    const wait = `
      import { existsSync } from 'node:fs';
      if (cluster.isWorker) while (existsSync('${held}')) await new Promise((next) => setTimeout(next, 20));`;
    const child = spawn(process.execPath, [main, "serve"], {
      env: {
        PATH: process.env["PATH"],
        SERVICE_ENVIRONMENT: "test",
        PORT: "0",
        DATABASE_URL: stage.databaseUrl,
        SERVER_WORKERS: "2",
        NODE_OPTIONS: asWorker(wait),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.resume();
    child.stderr.resume();
    try {
      const children = `/proc/${child.pid}/task/${child.pid}/children`;
      await eventually("it has workers", () => readFileSync(children, "utf8").includes(" "));
      // Begun is a moment before it hears signals.
      await new Promise((resolve) => setTimeout(resolve, 300));
      child.kill("SIGTERM");
      await rm(held);
      await eventually("it has ended", () => child.exitCode !== null);
      expect(child.exitCode).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });

  test("one that dies as soon as it is started is started again later each time, while the others serve", async () => {
    const flag = join(await createDataDir(), "die");
    const service = await startService({
      env: {
        DATABASE_URL: stage.databaseUrl,
        SERVER_WORKERS: "2",
        NODE_OPTIONS: asWorker(
          `import { existsSync } from 'node:fs'; if (cluster.isWorker && existsSync('${flag}')) process.exit(3)`,
        ),
      },
    });
    const told = (msg: RegExp) =>
      service
        .output()
        .split("\n")
        .filter((line) => msg.test(line))
        .map((line) => JSON.parse(line) as { pid: number; worker: number; pauseMs: number });
    // The service is ready before its last lines are written. (Nobody's pid would be everybody's here.)
    await eventually("it is told of", () => told(/a worker is ready/).length === 2);
    const victim = told(/a worker is ready/)[0]!;
    await writeFile(flag, "");
    process.kill(victim.pid, "SIGKILL");
    const died = () => told(/a worker has died/).map(({ pauseMs }) => pauseMs);
    await eventually("it has died three times", () => died().length === 3);
    expect(died()).toEqual([100, 400, 1_600]);
    for (let asked = 0; asked < 4; asked += 1) {
      expect((await createClient(service.url).get("/health/readiness")).status).toBe(200);
    }
    await rm(flag);
    await eventually("it is back", () => told(/a worker is ready/).length === 3);
    await service.stop();
  });

  /** Of the process that keeps the port: there is no such program while the file is there. */
  const withoutProgram = (flag: string) => {
    const code = `import cluster from 'node:cluster'; import { existsSync } from 'node:fs';
      const program = process.execPath;
      const look = () => (process.execPath = existsSync('${flag}') ? '/nowhere/node' : program);
      if (cluster.isPrimary) { look(); setInterval(look, 5).unref(); }`;
    return {
      DATABASE_URL: stage.databaseUrl,
      SERVER_WORKERS: "2",
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}`,
    };
  };

  test("one for which no process can be made is tried again, while the others serve", async () => {
    const flag = join(await createDataDir(), "away");
    const service = await startService({ env: withoutProgram(flag) });
    const told = (msg: RegExp) =>
      service
        .output()
        .split("\n")
        .filter((line) => msg.test(line))
        .map((line) => JSON.parse(line) as { pid: number; pauseMs: number });
    await eventually("it is told of", () => told(/a worker is ready/).length === 2);
    await writeFile(flag, "");
    // It is looked for every few milliseconds.
    await new Promise((resolve) => setTimeout(resolve, 200));
    process.kill(told(/a worker is ready/)[0]!.pid, "SIGKILL");
    const failed = () => told(/no process can be made/).map(({ pauseMs }) => pauseMs);
    await eventually("it was tried twice", () => failed().length === 2);
    expect(failed()).toEqual([400, 1_600]);
    expect((await createClient(service.url).get("/health/readiness")).status).toBe(200);
    await rm(flag);
    await eventually("it is back", () => told(/a worker is ready/).length === 3);
    expect(await service.stop()).toBe(0);
  });

  test("when no process can be made from the beginning, it is said why, and given up", async () => {
    const flag = join(await createDataDir(), "away");
    await writeFile(flag, "");
    await expect(startService({ env: withoutProgram(flag) })).rejects.toThrow(
      /ended with 1[^]*cannot start: worker \d could not be started \(.*ENOENT/,
    );
  });

  test("the gateway knows one service, and once it stops none", async () => {
    const gateway = await startGateway();
    const service = await startService({
      env: { DATABASE_URL: stage.databaseUrl, SERVER_WORKERS: "2", GATEWAY_URL: gateway.url },
    });
    await eventually("it is registered", () => gateway.instances().length > 0);
    expect(gateway.instances()).toHaveLength(1);
    expect(gateway.instances()[0]?.port).toBe(Number(new URL(service.url).port));
    type Health = { dependencies: Record<string, { status: string; details: object }> };
    for (let asked = 0; asked < 4; asked += 1) {
      await eventually("whoever answers knows of it", async () => {
        const { body } = await createClient(service.url).get<Health>("/health/detailed");
        return body.dependencies["gateway"]?.status === "healthy";
      });
    }
    expect(await service.stop()).toBe(0);
    expect(gateway.instances()).toEqual([]);
    const calls = (method: string) => gateway.requests.filter((each) => each.method === method);
    expect(calls("DELETE")).toHaveLength(1);
    await gateway.stop();
  });

  test("an embedded database has one process, and says so", async () => {
    await expect(startService({ env: { SERVER_WORKERS: "2" } })).rejects.toThrow(
      /server\.workers: an embedded database belongs to one process/,
    );
    const alone = await startService({ env: { SERVER_WORKERS: "auto" } });
    const { status } = await createClient(alone.url).get("/health");
    expect(status).toBe(200);
    expect(alone.output()).not.toContain("a worker is ready");
    await alone.stop();
  });
});
