import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lastUserText } from "../support/openai-server.ts";
import { textOf, type SeenEvent } from "../support/reply-stream.ts";
import { eventually, startStage, type Stage } from "../support/stage.ts";

const started = await startStage();

describe.skipIf(started === null)("three nodes on one PostgreSQL and one Redis", () => {
  let stage: Stage;

  beforeAll(() => {
    stage = started as Stage;
  });
  afterAll(() => stage.stop());

  const isChunk = (event: SeenEvent) => event.type === "assistant_chunk";
  const messageOf = (event: SeenEvent) => event["message_id"] as string;

  async function begin(node: number, message: string, more: object = {}) {
    const client = stage.client(node);
    const sessionId = await client.session("ann");
    const stream = await client.stream({ session_id: sessionId, message, ...more });
    const first = await stream.next((event) => event.type === "user_message");
    return { sessionId, stream, replyId: messageOf(first) };
  }

  test("a reply is followed from every node: live, from the middle, and after its end", async () => {
    const { stream, replyId } = await begin(0, "slow 60 20");
    await stream.next(isChunk);
    const live = await Promise.all([1, 2].map((node) => stage.client(node).follow(replyId)));
    const all = await stream.all();
    for (const viewer of live) expect(await viewer.all()).toEqual(all);
    for (const node of [0, 1, 2]) {
      const late = await stage.client(node).follow(replyId);
      expect(await late.all()).toEqual(all);
      const middle = await stage.client(node).follow(replyId, 5);
      expect(await middle.all()).toEqual(all.slice(5));
      expect(middle.isDone()).toBe(true);
    }
    const stored = await stage.client(1).get<{ content: string }>(`/chat/message/${replyId}`);
    expect(textOf(all)).toBe(stored.body.content);
  });

  test("a reply is cancelled from another node and keeps what it had said", async () => {
    const { stream, replyId } = await begin(0, "slow 5000 20");
    await stream.next(isChunk);
    const cancelled = await stage.client(2).send("POST", `/chat/message/${replyId}/cancel`);
    expect(cancelled.status).toBe(200);
    expect(cancelled.body).toMatchObject({ status: "cancelled" });
    const events = await stream.all();
    expect(events.at(-1)).toMatchObject({ type: "cancelled", full_response: textOf(events) });
  });

  test("a message on another node interrupts, and its reply starts", async () => {
    const { sessionId, stream } = await begin(0, "slow 5000 20");
    await stream.next(isChunk);
    const next = await stage
      .client(1)
      .stream({ session_id: sessionId, message: "hello", on_busy: "interrupt" });
    expect((await stream.all()).at(-1)).toMatchObject({
      type: "cancelled",
      reason: "interrupted_by_user",
    });
    expect((await next.all()).at(-1)).toMatchObject({ type: "conversation_complete" });
  });

  test("messages that wait are answered in order, whatever node they were sent to", async () => {
    const { sessionId, stream } = await begin(0, "slow 40 20");
    await stream.next(isChunk);
    const waiting: Awaited<ReturnType<typeof begin>>["stream"][] = [];
    const order = ["first", "second", "third", "fourth"];
    for (const [index, node] of [2, 1, 0, 1].entries()) {
      const message = `${node} ${order[index]}`;
      const queued = await stage.client(node).stream({ session_id: sessionId, message });
      await queued.next((event) => event.type === "queued");
      waiting.push(queued);
    }
    for (const each of waiting) {
      expect((await each.all()).at(-1)?.type).toBe("conversation_complete");
    }
    const asked = stage.model.requests.slice(-4).map((request) => lastUserText(request));
    expect(asked).toEqual(["2 first", "1 second", "0 third", "1 fourth"]);
  });

  test("of 100 messages sent at once over all nodes exactly one is being answered at any time", async () => {
    const sessionId = await stage.client(0).session("ann");
    const streams = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        stage
          .client(index % 3)
          .stream({ session_id: sessionId, message: `slow 3 5 #${index}` })
          .catch((error: unknown) => String(error)),
      ),
    );
    const accepted = streams.filter((each) => typeof each !== "string");
    const refused = streams.filter((each) => typeof each === "string");
    // Or, where all of them are slow: nothing was changed, and it may be tried again.
    for (const text of refused) expect(text).toMatch(/queue_full|storage_unavailable/);
    expect(accepted.length).toBeGreaterThan(1);
    for (;;) {
      const rows = await stage.query<{ status: string; count: number }>(
        "SELECT status, count(*)::int AS count FROM messages WHERE session_id = $1 GROUP BY status",
        [sessionId],
      );
      const count = (status: string) => rows.find((row) => row.status === status)?.count ?? 0;
      expect(count("streaming")).toBeLessThanOrEqual(1);
      if (count("streaming") + count("queued") === 0) break;
    }
    for (const each of accepted) {
      const ends = (await each.all()).filter((event) => event.type === "conversation_complete");
      expect(ends).toHaveLength(1);
    }
    const [row] = await stage.query<{ last: number; count: number }>(
      "SELECT max(seq) AS last, count(*)::int AS count FROM messages WHERE session_id = $1",
      [sessionId],
    );
    expect(row).toEqual({ last: accepted.length * 2, count: accepted.length * 2 });
  });

  test("the same request sent to all nodes at once is one message and one reply", async () => {
    const sessionId = await stage.client(0).session("ann");
    const streams = await Promise.all(
      [0, 1, 2, 0, 1, 2].map((node) =>
        stage
          .client(node)
          .stream(
            { session_id: sessionId, message: "once" },
            { "idempotency-key": `the-same-${sessionId}` },
          ),
      ),
    );
    const ends = await Promise.all(streams.map((stream) => stream.all()));
    expect(new Set(ends.map((events) => messageOf(events[0] as SeenEvent))).size).toBe(1);
    // Who came when it was over may have a snapshot instead of its parts.
    for (const events of ends) {
      expect(textOf(events)).toBe("one two three");
      expect(events.at(-1)).toMatchObject({ full_response: "one two three" });
    }
    const rows = await stage.query("SELECT 1 FROM messages WHERE session_id = $1", [sessionId]);
    expect(rows).toHaveLength(2);
  });

  test("a deleted session ends its reply's stream on every node and leaves nothing in Redis", async () => {
    const { sessionId, stream, replyId } = await begin(0, "slow 5000 20");
    const remote = await stage.client(1).follow(replyId);
    await remote.next(isChunk);
    const deleted = await stage.client(2).send("DELETE", `/sessions/${sessionId}?user_id=ann`);
    expect(deleted.status).toBeLessThan(300);
    expect((await stream.all()).at(-1)).toMatchObject({ type: "cancelled" });
    await remote.all();
    expect((await stage.client(1).get(`/chat/message/${replyId}`)).status).toBe(404);
    await eventually("its events are gone", async () => {
      const keys = await stage.redis?.command(
        "EVAL",
        "return table.concat(redis.call('KEYS', ARGV[1]), ' ')",
        "0",
        `*${replyId}*`,
      );
      return keys === "";
    });
  });

  test("a reply costs at most one XADD for two tokens and no read for viewers of its own node", async () => {
    const { redis } = stage;
    await stage.client(0).session("warm");
    await redis?.command("CONFIG", "RESETSTAT");
    const tokens = 400;
    const { stream } = await begin(0, `slow ${tokens} 9`);
    await stream.all();
    const calls = async (command: string) => (await redis?.calls(command)) ?? 0;
    const xadd = await calls("xadd");
    const reads = (await calls("xread")) + (await calls("xrange")) + (await calls("xrevrange"));
    const expire = await calls("pexpire");
    process.stdout.write(
      `XADD a token: ${(xadd / tokens).toFixed(2)}, PEXPIRE: ${expire}, reads: ${reads}\n`,
    );
    expect(xadd).toBeGreaterThan(0);
    expect(xadd / tokens).toBeLessThanOrEqual(0.5);
    expect(reads).toBe(0);
    expect(expire).toBeLessThanOrEqual(3);
  });

  test("a node stops while clients stream from it and keep their connections", async () => {
    const { stream } = await begin(2, "slow 100 20");
    await stream.next(isChunk);
    const stopped = stage.node(2).stop();
    expect((await stream.all()).at(-1)?.type).toBe("conversation_complete");
    expect(await stopped).toBe(0);
    await stage.startNode(2);
  });

  test("Redis has its own place in the health report, and its absence is not an outage", async () => {
    type Health = { status: string; dependencies?: Record<string, { status: string }> };
    const before = await stage.client(0).get<Health>("/health/detailed");
    expect(JSON.stringify(before.body)).toContain('"redis"');
    await stage.redis?.kill();
    await eventually("readiness stays", async () => {
      const { status } = await stage.client(0).get("/health/readiness");
      return status === 200;
    });
    const { stream } = await begin(0, "hello");
    expect((await stream.all()).at(-1)?.type).toBe("conversation_complete");
    await stage.redis?.start();
  });
});
