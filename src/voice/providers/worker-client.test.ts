import { afterEach, expect, test } from "vitest";
import { silentLogger } from "../../telemetry/logger.ts";
import { createWorkerClient, type WorkerClient } from "./worker-client.ts";

/** Echoes; is silent for ever when asked to be. */
const thread = `
  const { parentPort } = require("node:worker_threads");
  parentPort.on("message", ({ id, request }) => {
    while (request === "hang") {}
    parentPort.postMessage({ id, response: request });
  });
  parentPort.postMessage({ ready: true });
`;
const never = new AbortController().signal;
let client: WorkerClient<string, string>;
afterEach(() => client.close());

function create(timeoutMs: number) {
  client = createWorkerClient({
    url: new URL(
      `data:text/javascript,${encodeURIComponent(`import { createRequire } from "node:module"; const require = createRequire("file:///");${thread}`)}`,
    ),
    name: "echo",
    timeoutMs,
    maxWaiting: 4,
    maxHeapMb: 64,
    logger: silentLogger,
  });
  return client;
}

test("a job that takes too long ends with its thread, and the next one is done by another", async () => {
  const subject = create(60_000);
  const [hung, next] = await Promise.allSettled([
    subject.call("hang", never, 30),
    subject.call("hello", never),
  ]);
  expect(hung).toMatchObject({ status: "rejected", reason: { type: "speech_timeout" } });
  expect(next).toMatchObject({ status: "fulfilled", value: "hello" });
});

test("starting the thread does not count", async () => {
  expect(await create(1_000).call("hello", never, 500)).toBe("hello");
});
