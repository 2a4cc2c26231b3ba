import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStream, type SeenEvent } from "../support/reply-stream.ts";
import { startStage, type Stage } from "../support/stage.ts";
import { connectSocket, type SocketMessage } from "../support/web-socket-client.ts";

/** A device of ann's that goes to the other node when its own dies, and on behind the last event that it has seen. */
interface Device {
  readonly seen: () => readonly string[];
  /** Resolves when something that fits has been seen. */
  until(fits: (event: SeenEvent) => boolean): Promise<void>;
  /** After its node has died. */
  moveTo(node: number): Promise<void>;
  close(): void;
}

const isTold = ({ type }: { readonly type: string }) => type !== "ready";
const nameOf = (event: SeenEvent) =>
  [event.id, event.type, event["session_id"], event["message_id"], event["status"]].join(" ");

async function streamingDevice(stage: Stage, first: number): Promise<Device> {
  const before: SeenEvent[] = [];
  const open = async (node: number, after?: number) => {
    const headers = after === undefined ? {} : { "Last-Event-ID": String(after) };
    const url = `${stage.node(node).url}/sessions/events?user_id=ann`;
    const stream = await openStream(url, { headers });
    await stream.next(({ type }) => type === "ready");
    return stream;
  };
  let stream = await open(first);
  return {
    seen: () => [...before, ...stream.events].filter(isTold).map(nameOf),
    async until(fits) {
      if (!before.some(fits)) await stream.next(fits);
    },
    async moveTo(node) {
      await stream.all().catch(() => undefined);
      before.push(...stream.events);
      stream = await open(node, before.at(-1)?.id);
    },
    close: () => stream.close(),
  };
}

async function socketDevice(stage: Stage, first: number): Promise<Device> {
  const before: SeenEvent[] = [];
  const open = async (node: number, after?: number) => {
    const client = connectSocket(`${stage.node(node).url}/chat/ws?user_id=ann`);
    await client.next(({ type }) => type === "connection_established");
    client.send({ type: "subscribe", ...(after !== undefined && { after }) });
    await client.next(({ type }) => type === "ready");
    return client;
  };
  const event = (message: SocketMessage): SeenEvent => ({ ...message, id: Number(message["seq"]) });
  const eventsOf = (messages: readonly SocketMessage[]) =>
    messages.filter(({ stream }) => stream === "sessions").map(event);
  let client = await open(first);
  return {
    seen: () => [...before, ...eventsOf(client.messages)].filter(isTold).map(nameOf),
    async until(fits) {
      if (!before.some(fits)) await client.next((message) => fits(event(message)));
    },
    async moveTo(node) {
      await client.closed();
      before.push(...eventsOf(client.messages));
      client = await open(node, before.at(-1)?.id);
    },
    close: () => client.socket.close(),
  };
}

for (const redis of ["none", "single"] as const) {
  const started = await startStage({
    nodes: 2,
    redis,
    env: { STREAMS_LEASE_SECONDS: "2", STREAMS_REAP_SECONDS: "1" },
  });

  describe.skipIf(started === null)(
    `devices of two nodes ${redis === "none" ? "without Redis" : "with Redis"}`,
    () => {
      let stage: Stage;
      beforeAll(() => {
        stage = started as Stage;
      });
      afterAll(() => stage.stop());

      test("miss nothing and see nothing twice when a node is killed that they follow, and that answers", async () => {
        const there = await streamingDevice(stage, 1);
        const moving = [await streamingDevice(stage, 0), await socketDevice(stage, 0)];
        const devices = [there, ...moving];
        // A reply of the node that dies, and things that happen on both while it does.
        const dying = stage.client(0);
        const stays = stage.client(1);
        const sessionId = await dying.session("ann");
        const reply = await dying.stream({ session_id: sessionId, message: "slow 5000 20" });
        const { message_id: replyId } = await reply.next(({ type }) => type === "assistant_chunk");
        const sent: string[] = [];
        const over = new AbortController();
        const talk = async (client: typeof dying) => {
          while (!over.signal.aborted) {
            const { body } = await client.send<{ message_id: string }>("POST", "/chat/message", {
              user_id: "ann",
              message: "hi",
            });
            sent.push(body.message_id);
          }
        };
        // What was asked of the node that dies may be answered by nobody.
        const talking = [talk(stays), talk(dying).catch(() => undefined)];
        for (const device of moving) await device.until(({ type }) => type === "reply_ended");
        await stage.node(0).kill();
        for (const device of moving) await device.moveTo(1);
        await there.until(
          (event) => event.type === "reply_ended" && event["message_id"] === replyId,
        );
        over.abort();
        await Promise.all(talking);
        // What the node does when it is there again is told as well.
        await stage.startNode(0);
        const last = await stage.client(0).session("ann");
        const isLast = (event: SeenEvent) =>
          event.type === "session_created" && event["session_id"] === last;
        for (const device of devices) await device.until(isLast);

        const seen = there.seen();
        for (const device of moving) expect(device.seen()).toEqual(seen);
        expect(new Set(seen).size).toBe(seen.length);
        for (const messageId of [...sent, String(replyId)]) {
          const ends = seen.filter(
            (name) => name.includes(` reply_ended `) && name.includes(messageId),
          );
          expect(ends).toHaveLength(1);
        }
        // As it is stored, to the last one; of many only the last thousand are.
        const stored = await stage.query<{ number: string }>(
          "SELECT number::text FROM session_events e WHERE user_id = 'ann' ORDER BY e.number",
        );
        const numbers = seen.map((name) => name.split(" ")[0]);
        expect(stored.length).toBeGreaterThanOrEqual(Math.min(numbers.length, 1_000));
        expect(numbers.slice(-stored.length)).toEqual(stored.map(({ number }) => number));
        for (const device of devices) device.close();
      });
    },
  );
}
