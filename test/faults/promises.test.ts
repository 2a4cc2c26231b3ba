import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { openInspector } from "../../bench/inspector.ts";
import { eventually, startStage, type Stage } from "../support/stage.ts";
import { env, figure, isLong, pause, seconds, seed } from "./form.ts";
import { checkHistory } from "./history.ts";
import { startWorkload } from "./workload.ts";

let stage: Stage | null = null;

afterEach(async () => {
  await stage?.stop();
  stage = null;
});

describe("single promises", () => {
  test("every viewer on every node sees the end of a killed node's reply within 20 s", async () => {
    stage = await startStage({ env });
    if (stage === null) return;
    const on = stage;
    const sessionId = await on.client(0).session("ann");
    const made = await on.client(0).stream({ session_id: sessionId, message: "slow 5000 20" });
    const { message_id: replyId } = (await made.next(
      (event) => event.type === "user_message",
    )) as never;
    const viewers = await Promise.all([1, 2, 1].map((node) => on.client(node).follow(replyId)));
    for (const viewer of viewers) await viewer.next((event) => event.id >= 20);
    const seen = Math.max(...viewers.map((viewer) => viewer.events.at(-1)?.id ?? 0));
    const killedMs = performance.now();
    await on.node(0).kill();
    for (const viewer of viewers) {
      const all = await viewer.all();
      expect(all.at(-1)).toMatchObject({ type: "error", error_type: "interrupted" });
      expect(all.at(-1)?.id).toBeGreaterThan(seen);
    }
    const waitedMs = performance.now() - killedMs;
    figure(`kill -9 to the last viewer's end: ${(waitedMs / 1000).toFixed(1)} s`);
    // What viewers have seen is stored: Redis had it.
    const [row] = await on.query<{ content: string; status: string }>(
      "SELECT content, status FROM messages WHERE message_id = $1",
      [replyId],
    );
    expect(row?.status).toBe("interrupted");
    const last = viewers[0]?.events.findLast((event) => event.type === "assistant_chunk");
    expect(row?.content).toContain(String(last?.["chunk"]).trim());
    expect(waitedMs).toBeLessThan(25_000);
  }, 90_000);

  test("a reply that runs while the database is away is stored when it is back", async () => {
    stage = await startStage({ nodes: 2, env });
    if (stage === null) return;
    const on = stage;
    const sessionId = await on.client(0).session("ann");
    const made = await on.client(0).stream({ session_id: sessionId, message: "slow 200 20" });
    await made.next((event) => event.id >= 5);
    await on.postgres.stopServer("immediate");
    const refused = await on.client(1).send("POST", "/chat/session", { user_id: "ann" });
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ error: { type: "storage_unavailable" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    await made.next((event) => event["finished"] === true);
    await pause(seconds(18, 30));
    await on.postgres.startServer();
    const end = (await made.all()).at(-1);
    expect(end?.type).toBe("conversation_complete");
    const [row] = await on.query<{ content: string; status: string }>(
      "SELECT content, status FROM messages WHERE session_id = $1 AND role = 'assistant'",
      [sessionId],
    );
    expect(row).toEqual({ status: "complete", content: end?.["full_response"] });
    expect(row?.content.trim().split(" ")).toHaveLength(200);
  }, 120_000);

  test("a node cut off from Redis lets viewers of other nodes follow the database", async () => {
    stage = await startStage({ nodes: 2, env });
    if (stage === null) return;
    const on = stage;
    await on.redis?.kill();
    const sessionId = await on.client(0).session("ann");
    const made = await on.client(0).stream({ session_id: sessionId, message: "slow 300 20" });
    const { message_id: replyId } = (await made.next(
      (event) => event.type === "user_message",
    )) as never;
    const remote = await on.client(1).follow(replyId);
    await remote.next((event) => event.type === "snapshot" && event["content"] !== "");
    const end = (await remote.all()).at(-1);
    expect(end?.type).toBe("conversation_complete");
    expect(end?.["full_response"]).toBe((await made.all()).at(-1)?.["full_response"]);
    await eventually(
      "readiness",
      async () => (await on.client(1).get("/health/readiness")).status === 200,
    );
  }, 60_000);

  test("nodes are restarted one after the other under many streams", async () => {
    const streams = isLong ? 200 : 60;
    stage = await startStage({
      env: { ...env, SERVER_DRAIN_SECONDS: "25", SERVER_SHUTDOWN_DELAY_SECONDS: "1" },
    });
    if (stage === null) return;
    const on = stage;
    /** As a balancer does: a node that says no gets nothing new. */
    const inService = new Set([0, 1, 2]);
    const workload = startWorkload({
      stage: on,
      name: "restart",
      urls: () => [...inService].map((index) => on.node(index).url),
      clients: streams,
      sessions: streams,
      seed,
      words: 40,
      delayMs: 200,
    });
    await eventually("all streams", () => workload.counts.sends >= streams);
    for (const index of [0, 1, 2]) {
      inService.delete(index);
      expect(await on.node(index).stop()).toBe(0);
      await on.startNode(index);
      inService.add(index);
    }
    const { history, rows } = await workload.finish();
    const { sends, retries, reconnects } = workload.counts;
    const interrupted = rows.filter((row) => row.status === "interrupted").length;
    figure(
      `rolling restart under ${streams} streams: ${sends} messages, ${retries} refused requests, ` +
        `${reconnects} reconnects, ${interrupted} interrupted replies`,
    );
    expect(checkHistory(history, rows)).toEqual([]);
    expect(interrupted).toBe(0);
    expect(retries).toBe(0);
  }, 180_000);

  test("a thousand viewers that read nothing cost little and disturb nobody", async () => {
    stage = await startStage({ nodes: 1, env: { ...env, NODE_OPTIONS: "--inspect=127.0.0.1:0" } });
    if (stage === null) return;
    const on = stage;
    const inspector = await openInspector(on.node(0).output());
    /** What is held after a garbage collection, and what the process has of the machine, in MB. */
    const memory = async () => {
      const { heapBytes, externalBytes, residentBytes } = await inspector.takeInventory();
      return { held: (heapBytes + externalBytes) / 2 ** 20, resident: residentBytes / 2 ** 20 };
    };
    const sessionId = await on.client(0).session("ann");
    const made = await on.client(0).stream({ session_id: sessionId, message: "slow 20000 1" });
    const { message_id: replyId } = (await made.next(
      (event) => event.type === "user_message",
    )) as never;
    await made.next((event) => event.id >= 100);
    const before = await memory();
    const { hostname, port } = new URL(on.node(0).url);
    const stalled = await Promise.all(
      Array.from({ length: 1_000 }, async () => {
        const socket = connect(Number(port), hostname);
        socket.on("error", () => {});
        socket.pause();
        await once(socket, "connect");
        socket.write(`GET /chat/message/${replyId}/stream HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
        return socket;
      }),
    );
    const at = made.events.length;
    await made.next((event) => event.id >= at + 300);
    const after = await memory();
    const held = after.held - before.held;
    const resident = after.resident - before.resident;
    figure(`1,000 stalled viewers: ${held.toFixed(0)} MB held, ${resident.toFixed(0)} MB resident`);
    inspector.close();
    for (const socket of stalled) socket.destroy();
    expect(held).toBeLessThan(80);
    await on.client(0).send("POST", `/chat/message/${replyId}/cancel`);
    expect((await made.all()).at(-1)?.type).toBe("cancelled");
  }, 120_000);
});
