import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { WebSocket } from "@fastify/websocket";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Shares } from "../lib/shares.ts";
import { LargeMessages } from "./large-messages.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const settled = () => new Promise(setImmediate);

/** A connection that is read from when it flows. */
class Connection extends EventEmitter {
  bytesRead = 0;
  destroyed = false;
  flows = true;
  pause(): void {
    this.flows = false;
  }
  resume(): void {
    this.flows = true;
  }
  async receive(bytes: number): Promise<void> {
    this.bytesRead += bytes;
    this.emit("data");
    await settled();
  }
}

function connect(room: Shares, owner: string) {
  const connection = new Connection();
  const socket = Object.assign(new EventEmitter(), { isPaused: false });
  let refusals = 0;
  const large = new LargeMessages({
    socket: socket as unknown as WebSocket,
    connection: connection as unknown as Socket,
    room,
    owner,
    maxBytes: 100_000,
    onRefused: () => (refusals += 1),
  });
  return {
    connection,
    large,
    refusals: () => refusals,
    leave() {
      connection.destroyed = true;
      socket.emit("close");
    },
  };
}

test("a message that becomes large takes the room that it may need, until it has been handled", async () => {
  const room = new Shares({ total: 400_000, each: 200_000, maxWaiting: 5 });
  const { connection, large } = connect(room, "alice");
  await connection.receive(60_000);
  large.ended();
  await connection.receive(60_000);
  expect(room.taken).toBe(0);
  await connection.receive(10_000);
  expect([room.taken, connection.flows]).toEqual([100_000, true]);
  const giveBack = large.keep();
  large.ended();
  expect(room.taken).toBe(100_000);
  giveBack?.();
  expect(room.taken).toBe(0);
  await connection.receive(70_000);
  large.ended();
  expect(room.taken).toBe(0);
});

test("without room nothing more is read, and it goes on when there is", async () => {
  const room = new Shares({ total: 400_000, each: 200_000, maxWaiting: 5 });
  const [first, second, third] = Array.from({ length: 3 }, () => connect(room, "alice"));
  for (const each of [first, second, third]) await each?.connection.receive(70_000);
  expect(third?.connection.flows).toBe(false);
  // Whoever else lets it flow does not get around it.
  third?.connection.resume();
  await third?.connection.receive(1_000);
  expect(third?.connection.flows).toBe(false);
  const other = connect(room, "bob");
  await other.connection.receive(70_000);
  expect(other.connection.flows).toBe(true);
  first?.leave();
  await settled();
  expect([third?.connection.flows, room.taken]).toEqual([true, 300_000]);
});

test("who waits too long, or does not end its message, is refused", async () => {
  const room = new Shares({ total: 100_000, each: 100_000, maxWaiting: 5 });
  const slow = connect(room, "alice");
  await slow.connection.receive(70_000);
  const waiting = connect(room, "bob");
  await waiting.connection.receive(70_000);
  vi.advanceTimersByTime(10_000);
  await settled();
  expect([waiting.refusals(), slow.refusals()]).toEqual([1, 0]);
  vi.advanceTimersByTime(20_000);
  expect(slow.refusals()).toBe(1);
  slow.leave();
  expect(room.taken).toBe(0);
});
