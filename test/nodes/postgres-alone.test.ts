import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { textOf, type SeenEvent } from "../support/reply-stream.ts";
import { eventually, startStage, type Stage } from "../support/stage.ts";

/** Messages a minute and user; each test has less than that, but for the one that asks for it. */
const rate = 40;

const started = await startStage({
  redis: "none",
  env: {
    STREAMS_LEASE_SECONDS: "2",
    STREAMS_REAP_SECONDS: "1",
    LIMITS_MESSAGE_RATE_LIMIT: String(rate),
  },
});

describe.skipIf(started === null)("three nodes on one PostgreSQL, without Redis", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = started as Stage;
    await eventually("all nodes hear of each other", async () => {
      const seen = await Promise.all([0, 1, 2].map((node) => peersOf(node)));
      return seen.every((peers) => peers === 2);
    });
  });
  afterAll(() => stage.stop());

  const isChunk = (event: SeenEvent) => event.type === "assistant_chunk";
  const messageOf = (event: SeenEvent) => event["message_id"] as string;

  async function peersOf(node: number): Promise<number | undefined> {
    type Health = { components?: Record<string, { details?: { peers?: number } }> };
    const { body } = await stage.client(node).get<Health>("/health/detailed");
    return body.components?.["nodes"]?.details?.peers;
  }

  async function begin(node: number, message: string, more: object = {}) {
    const client = stage.client(node);
    const sessionId = await client.session("ann");
    const stream = await client.stream({ session_id: sessionId, message, ...more });
    const first = await stream.next((event) => event.type === "user_message");
    return { sessionId, stream, replyId: messageOf(first) };
  }

  /** The connections on which nodes hear each other. */
  const listeners = () =>
    stage.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE '%between nodes%'`,
    );

  test("a reply is followed word by word from every node: live, and from the middle", async () => {
    const { stream, replyId } = await begin(0, "slow 60 20");
    await stream.next(isChunk);
    const live = await Promise.all([1, 2, 1, 2].map((node) => stage.client(node).follow(replyId)));
    const middle = await stage.client(1).follow(replyId, 3);
    const all = await stream.all();
    for (const viewer of live) expect(await viewer.all()).toEqual(all);
    expect(await middle.all()).toEqual(all.slice(3));
    const stored = await stage.client(1).get<{ content: string }>(`/chat/message/${replyId}`);
    expect(textOf(all)).toBe(stored.body.content);
    // What has ended comes from the database, and at once.
    for (const node of [0, 1, 2]) {
      const late = await (await stage.client(node).follow(replyId)).all();
      expect(late.at(-1)).toEqual({ ...all.at(-1), timestamp: late.at(-1)?.["timestamp"] });
    }
  });

  test("a long reply that has gone on for a while is there whole on another node", async () => {
    const { stream, replyId } = await begin(0, "slow 3000 1");
    await stream.next((event) => event.id >= 60);
    const remote = await stage.client(2).follow(replyId);
    expect(await remote.all()).toEqual(await stream.all());
  });

  test("a reply is cancelled from another node and keeps what it had said", async () => {
    const { stream, replyId } = await begin(0, "slow 5000 20");
    const remote = await stage.client(1).follow(replyId);
    await remote.next(isChunk);
    const cancelled = await stage.client(2).send("POST", `/chat/message/${replyId}/cancel`);
    expect(cancelled.body).toMatchObject({ status: "cancelled" });
    const events = await stream.all();
    expect(events.at(-1)).toMatchObject({ type: "cancelled", full_response: textOf(events) });
    expect(await remote.all()).toEqual(events);
  });

  test("a message that waits for a reply of another node is followed on from there", async () => {
    const { sessionId, stream } = await begin(0, "slow 40 20");
    await stream.next(isChunk);
    const queued = await stage.client(1).stream({ session_id: sessionId, message: "hello" });
    const { message_id: replyId } = (await queued.next(({ type }) => type === "queued")) as never;
    const remote = await stage.client(2).follow(replyId);
    const all = await queued.all();
    expect(all.at(-1)).toMatchObject({
      type: "conversation_complete",
      full_response: "one two three",
    });
    expect((await remote.all()).at(-1)).toEqual(all.at(-1));
  });

  test("readers lose nothing and see nothing twice when the nodes are cut off from each other again and again", async () => {
    const { stream, replyId } = await begin(0, "slow 400 20");
    await stream.next(isChunk);
    const viewers = await Promise.all([1, 2].map((node) => stage.client(node).follow(replyId)));
    for (const viewer of viewers) await viewer.next(isChunk);
    for (let round = 0; round < 4; round += 1) {
      const before = (await listeners()).map(({ pid }) => pid);
      await stage.query("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", [before]);
      await eventually("nodes hear each other again", async () => {
        const now = (await listeners()).map(({ pid }) => pid);
        return now.length === 3 && !now.some((pid) => before.includes(pid));
      });
      const at = viewers[0]?.events.at(-1)?.id ?? 0;
      for (const viewer of viewers) await viewer.next((event) => isChunk(event) && event.id > at);
    }
    const all = await stream.all();
    for (const viewer of viewers) {
      const events = await viewer.all();
      const ids = events.map(({ id }) => id);
      expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => a - b));
      expect(textOf(events)).toBe(textOf(all));
      expect(events.at(-1)).toEqual(all.at(-1));
    }
  });

  test("the rate of messages is one for all nodes", async () => {
    const sessionId = await stage.client(0).session("bob");
    const startedMs = performance.now();
    let allowed = 0;
    let refused = 0;
    // On its own each node would let all of its third through.
    for (let sent = 0; sent < 2 * rate; sent += 1) {
      const { status, headers } = await stage
        .client(sent % 3)
        .send("POST", "/chat/message", { session_id: sessionId, message: "hello" });
      if (status === 429) {
        refused += 1;
        expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
      } else allowed += 1;
    }
    const regained = ((performance.now() - startedMs) / 60_000) * rate;
    // One more may get through on each of the others before it hears.
    expect(allowed).toBeLessThanOrEqual(rate + regained + 2 * 3);
    expect(refused).toBeGreaterThan(0);
    // Somebody else's is his own.
    const { status } = await stage
      .client(1)
      .send("POST", "/chat/message", { user_id: "eve", message: "hello" });
    expect(status).toBe(200);
  });

  test("a deleted session ends its reply's stream on every node", async () => {
    const { sessionId, stream, replyId } = await begin(0, "slow 5000 20");
    const remote = await stage.client(1).follow(replyId);
    await remote.next(isChunk);
    await stage.client(2).send("DELETE", `/sessions/${sessionId}?user_id=ann`);
    expect((await stream.all()).at(-1)).toMatchObject({ type: "cancelled" });
    await remote.all();
  });

  test("readers elsewhere see the end of a reply whose node was killed", async () => {
    const { replyId } = await begin(0, "slow 5000 20");
    const viewers = await Promise.all([1, 2].map((node) => stage.client(node).follow(replyId)));
    for (const viewer of viewers) await viewer.next((event) => event.id >= 30);
    await stage.node(0).kill();
    for (const viewer of viewers) {
      const all = await viewer.all();
      expect(all.at(-1)).toMatchObject({ type: "error", error_type: "interrupted" });
      const ids = all.map(({ id }) => id);
      expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => a - b));
    }
    await stage.startNode(0);
  });
});
