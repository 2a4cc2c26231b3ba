import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { createRedisClient } from "../../redis/create-redis-client.ts";
import { redisTarget } from "../../redis/redis-target.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import { startRedis } from "../../../test/support/redis.ts";
import { textEvent } from "./reply-log.contract.ts";
import { ReplyFenced, type ReplyLog } from "./reply-log.ts";
import { createMemoryReplyLog } from "./memory.ts";
import { createRedisReplyLog } from "./redis.ts";

/** What a node does to a reply. A node of one attempt goes on writing after another has taken over: it is a zombie then. */
type Step =
  | { readonly kind: "append"; readonly node: number; readonly count: number }
  | { readonly kind: "repeat"; readonly node: number }
  | { readonly kind: "take_over"; readonly node: number }
  | { readonly kind: "read"; readonly node: number; readonly after: number; readonly limit: number }
  | { readonly kind: "stat"; readonly node: number }
  /** Redis alone: the stream is evicted. */
  | { readonly kind: "lose" };

const nodes = 3;
const node = fc.nat({ max: nodes - 1 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        node,
        count: fc.integer({ min: 1, max: 5 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("repeat" as const), node }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("take_over" as const), node }) },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("read" as const),
        node,
        after: fc.nat({ max: 60 }),
        limit: fc.integer({ min: 1, max: 20 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("stat" as const), node }) },
    { weight: 1, arbitrary: fc.constant({ kind: "lose" as const }) },
  ),
  // As it is said, not a handful of steps: what is lost shows some steps after a take-over.
  { maxLength: 40, size: "max" },
);

/**
 * The whole truth about a reply: how long it is and whose it is. Each node knows its attempt and the number up to which
 * it has written; the log agrees with the owner and refuses everybody else.
 */
async function drive(
  program: readonly Step[],
  logs: readonly ReplyLog[],
  lose: ((owner: ReplyLog) => Promise<boolean>) | null,
): Promise<void> {
  const reply = "reply";
  const known = Array.from({ length: nodes }, () => ({ epoch: 0, last: 0 }));
  let owner: number | null = null;
  let last = 0;
  let epoch = 0;
  /** The oldest event that a new owner's memory has; a loss after a take-over leaves only those. */
  let ownedFrom = 1;
  let first = 1;
  const logOf = (index: number) => logs[index] as ReplyLog;

  for (const step of program) {
    if (step.kind === "lose") {
      if (owner === null || lose === null || last < ownedFrom) continue;
      if (!(await lose(logOf(owner)))) continue;
      // The next event of the owner brings back what its memory has.
      last += 1;
      await logOf(owner).append(reply, epoch, [textEvent(last)]);
      (known[owner] as { last: number }).last = last;
      first = ownedFrom;
      continue;
    }
    const me = known[step.node] as { epoch: number; last: number };
    const log = logOf(step.node);
    switch (step.kind) {
      case "take_over":
        if (owner !== null) logOf(owner).release(reply);
        owner = step.node;
        epoch += 1;
        me.epoch = epoch;
        me.last = last;
        log.own(reply);
        ownedFrom = last + 1;
        // Whoever takes over writes at once, and thereby fences the others.
        last += 1;
        me.last = last;
        await log.append(reply, epoch, [textEvent(last)]);
        break;
      case "append":
      case "repeat": {
        if (me.epoch === 0) break;
        const from = step.kind === "append" ? me.last + 1 : Math.max(ownedFrom, me.last - 1);
        const count = step.kind === "append" ? step.count : me.last - from + 1;
        if (count <= 0) break;
        const events = Array.from({ length: count }, (_, index) => textEvent(from + index));
        if (step.node === owner) {
          await log.append(reply, epoch, events);
          me.last = Math.max(me.last, from + count - 1);
          last = me.last;
        } else {
          await expect(log.append(reply, me.epoch, events)).rejects.toThrow(ReplyFenced);
        }
        break;
      }
      case "read": {
        const { events } = await log.read(reply, step.after, step.limit, 1024 * 1024);
        const from = Math.max(step.after + 1, first);
        const to = Math.min(last, from + step.limit - 1);
        const expected = Array.from({ length: Math.max(0, to - from + 1) }, (_, index) =>
          textEvent(from + index),
        );
        expect(events).toEqual(expected);
        break;
      }
      case "stat":
        expect(await log.stat(reply)).toEqual(last === 0 ? null : { first, last, epoch });
        break;
      default:
        step satisfies never;
    }
  }
}

test("the memory log is what the model says", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (program) => {
      const log = createMemoryReplyLog({
        maxReplyBytes: 1024 * 1024,
        maxTotalBytes: 1024 * 1024,
        retentionMs: 60_000,
      });
      await drive(program, [log, log, log], null);
      await log.close();
    }),
    { numRuns: 1_000 },
  );
});

describe("Redis", async () => {
  const redis = await startRedis({ own: true });
  afterAll(() => redis?.stop());

  test.skipIf(redis === null)(
    "the Redis log is what the same model says, whatever is evicted",
    async () => {
      if (redis === null) return;
      const clients = await Promise.all(
        Array.from({ length: nodes }, async () => {
          const client = createRedisClient({
            target: redisTarget({ url: redis.url, password: null, sentinelName: null }),
            commandTimeoutMs: 5_000,
            logger: silentLogger,
          });
          const ready = Promise.withResolvers<void>();
          client.onReady(ready.resolve);
          await ready.promise;
          return client;
        }),
      );
      let run = 0;
      await fc.assert(
        fc.asyncProperty(steps, async (program) => {
          const keyPrefix = `model${(run += 1)}:`;
          const logs = clients.map((client) =>
            createRedisReplyLog({
              client,
              keyPrefix,
              maxReplyBytes: 1024 * 1024,
              maxTotalBytes: 1024 * 1024,
              retentionMs: 60_000,
              logger: silentLogger,
            }),
          );
          await drive(program, logs, async () => {
            await redis.command("DEL", `${keyPrefix}{reply}:ev`);
            return true;
          });
          await Promise.all(logs.map((log) => log.close()));
        }),
        { numRuns: 500 },
      );
      await Promise.all(clients.map((client) => client.close()));
    },
  );
});
