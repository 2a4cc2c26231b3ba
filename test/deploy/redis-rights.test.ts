import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { checkRedis } from "../../src/cli/doctor/check-redis.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { startStage } from "../support/stage.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/scaling.md"), "utf8");
const line = /^ *redis-cli (ACL SETUSER .*)$/m.exec(page)?.[1] ?? "";
const documented = line.split(" ").map((word) => word.replaceAll("'", ""));

let redis: TestRedis | null;
beforeAll(async () => {
  redis = await startRedis({ own: true });
});
afterAll(() => redis?.stop());

async function look(user: string) {
  const url = (redis?.url ?? "").replace("//", `//${user}:PASSWORD@`);
  const loaded = loadConfig({ environment: { REDIS_URL: url }, cwd: "/nonexistent" });
  if (!loaded.ok) throw new Error(loaded.faults.join());
  return checkRedis(loaded.config);
}

describe("a user of Redis with the documented rights", () => {
  it("is enough for the doctor", async (context) => {
    if (redis === null) return context.skip();
    expect(await redis.command(...documented)).toBe("OK");
    expect((await look("chat")).map(({ status }) => status)).toEqual(["ok", "ok"]);
  });

  it("is enough for two nodes: bells are heard, health is well", async (context) => {
    const stage = await startStage({
      nodes: 2,
      redis: "none",
      nodeEnv: () => ({ REDIS_URL: (redis?.url ?? "").replace("//", "//chat:PASSWORD@") }),
    });
    if (stage === null || redis === null) return context.skip();
    onTestFinished(() => stage.stop());
    const session_id = await stage.client(0).session("ann");
    const reply = await stage
      .client(0)
      .stream({ user_id: "ann", session_id, message: "slow 40 20" });
    const first = await reply.next((event) => event["message_id"] !== undefined);
    const other = await stage.client(1).follow(String(first["message_id"]));
    const kinds = (await other.all()).map(({ type }) => type);
    expect(kinds.filter((kind) => kind === "assistant_chunk").length).toBeGreaterThan(20);
    const { body } = await stage
      .client(1)
      .get<{ dependencies: { redis: { status: string } } }>("/health/detailed");
    expect(body.dependencies.redis.status).toBe("healthy");
    const output = stage.node(0).output() + stage.node(1).output();
    expect(output).not.toMatch(/"level":"(warn|error)".*[Rr]edis/);
  });

  it.each([
    ["no channels", ["&chat:*"], /may not use the channels chat:\*/],
    ["no scripts", ["+@scripting"], /may not use EVALSHA/],
    ["no writing", ["+@write"], /may not use SET/],
    ["no keys", ["~chat:*"], /may not use the keys chat:\*/],
  ])("less is told, with the line that mends it: %s", async (_name, without, words) => {
    if (redis === null) return;
    const rights = documented.filter((word) => !without.includes(word));
    await redis.command(...rights.map((word) => (word === "chat" ? "poor" : word)));
    const [found] = await look("poor");
    expect(found).toMatchObject({
      status: "fail",
      found: expect.stringMatching(words),
      remedy: expect.stringContaining("ACL SETUSER <user> ~chat:* &chat:*"),
    });
    await redis.command("ACL", "DELUSER", "poor");
  });

  it("a full Redis, and one that only reads, are told as what they are", async () => {
    if (redis === null) return;
    await redis.command("CONFIG", "SET", "maxmemory", "1");
    expect(await look("chat")).toMatchObject([
      {
        status: "fail",
        found: expect.stringMatching(/full/),
        remedy: expect.stringMatching(/maxmemory/),
      },
    ]);
    await redis.command("CONFIG", "SET", "maxmemory", "0");
    await redis.command("REPLICAOF", "127.0.0.1", "1");
    expect(await look("chat")).toMatchObject([
      { status: "fail", found: expect.stringMatching(/read-only replica/) },
    ]);
    await redis.command("REPLICAOF", "NO", "ONE");
    await vi.waitFor(async () => expect((await look("chat"))[0]?.status).toBe("ok"), 5_000);
  });
});
