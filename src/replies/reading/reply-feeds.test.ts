import { expect, test } from "vitest";
import { silentLogger } from "../../telemetry/logger.ts";
import { createMemoryReplyLog } from "../log/memory.ts";
import { createReplyFeeds } from "./reply-feeds.ts";
import { textEvent } from "../log/reply-log.contract.ts";

test("who follows a silent reply of another node hears its heartbeat, however often the log is looked at", async () => {
  const log = createMemoryReplyLog({
    maxReplyBytes: 64 * 1024,
    maxTotalBytes: 64 * 1024,
    retentionMs: 60_000,
  });
  const feeds = createReplyFeeds({ log, heartbeatMs: 150, sweepMs: 10, logger: silentLogger });
  await log.append("reply", 1, [textEvent(1)]);
  const stop = new AbortController();
  const followed = feeds.follow("reply", { seq: 0 }, stop.signal);
  expect(await followed.next()).toMatchObject({ kind: "events" });
  expect(await followed.next()).toEqual({ kind: "idle" });
  expect(await followed.next()).toEqual({ kind: "idle" });
  stop.abort();
  expect(await followed.next()).toBeNull();
  followed.close();
  feeds.close();
  await log.close();
});
