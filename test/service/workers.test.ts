import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient } from "../support/client.ts";
import { textOf, type SeenEvent } from "../support/reply-stream.ts";
import { eventually, startStage, type Stage } from "../support/stage.ts";
import { startService } from "../support/start-service.ts";

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
  const pidOf = (worker: number) =>
    lines().findLast((line) => line.worker === worker && line.msg === "a worker is ready")?.pid ??
    0;
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
    for (const viewer of viewers) expect(await viewer.all()).toEqual(all);
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

  test("when they cannot start, it is said and given up", async () => {
    const env = {
      DATABASE_URL: stage.databaseUrl,
      SERVER_WORKERS: "2",
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
        "import cluster from 'node:cluster'; if (cluster.isWorker) process.exit(3)",
      )}`,
    };
    await expect(startService({ env })).rejects.toThrow(/ended with 1[^]*giving up/);
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
