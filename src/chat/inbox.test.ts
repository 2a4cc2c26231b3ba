import type { WebSocket } from "@fastify/websocket";
import { expect, it } from "vitest";
import { Inbox } from "./inbox.ts";

function stage() {
  const socket = {
    isPaused: false,
    pause: () => (socket.isPaused = true),
    resume: () => (socket.isPaused = false),
  };
  const faults: unknown[] = [];
  const inbox = new Inbox(socket as unknown as WebSocket, (error) => faults.push(error));
  return { socket, faults, inbox };
}

it("handles one at a time, in the order in which they came, whatever becomes of each", async () => {
  const { inbox, faults } = stage();
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const told: string[] = [];
  const all = gates.map(({ promise }, index) => {
    const done = Promise.withResolvers<void>();
    inbox.add("messages", 1, async () => {
      told.push(`begin ${index}`);
      await promise.finally(() => {
        told.push(`end ${index}`);
        done.resolve();
      });
    });
    return done.promise;
  });
  expect(told).toEqual(["begin 0"]);
  for (const index of [4, 2, 0, 3]) gates[index]?.resolve();
  gates[1]?.reject(new Error("1 failed"));
  await Promise.all(all);
  expect(told).toEqual([0, 1, 2, 3, 4].flatMap((each) => [`begin ${each}`, `end ${each}`]));
  expect(faults).toEqual([new Error("1 failed")]);
});

it.each([
  ["messages", 1, 8],
  ["bytes", 300 * 1024, 4],
])("reads nothing more while too many %s wait", async (_what, bytes, most) => {
  const { inbox, socket } = stage();
  const first = Promise.withResolvers<void>();
  inbox.add("messages", bytes, () => first.promise);
  for (let count = 1; count < most; count++) {
    expect(socket.isPaused).toBe(false);
    inbox.add("messages", bytes, async () => {});
  }
  expect(socket.isPaused).toBe(true);
  const last = Promise.withResolvers<void>();
  inbox.add("messages", bytes, async () => last.resolve());
  first.resolve();
  await last.promise;
  expect(socket.isPaused).toBe(false);
});

it("lets no message wait for speech, nor speech for a message", async () => {
  const { inbox } = stage();
  const never = new Promise<void>(() => {});
  const told: string[] = [];
  inbox.add("messages", 1, () => never);
  inbox.add("speech", 1, async () => void told.push("speech"));
  inbox.add("messages", 1, async () => void told.push("message"));
  expect(told).toEqual(["speech"]);
});
