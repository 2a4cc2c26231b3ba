import { expect, test } from "vitest";
import { redisTarget } from "./redis-target.ts";

const none = { password: null, sentinelName: null };

test("one host is a single server, with user, password and database from its URL", () => {
  expect(redisTarget({ url: "rediss://me:p%40ss@redis.internal:7000/3", ...none })).toEqual({
    kind: "single",
    nodes: [{ host: "redis.internal", port: 7000 }],
    tls: true,
    username: "me",
    password: "p@ss",
    database: 3,
    sentinelName: null,
  });
});

test("several hosts are a Cluster, whose database is always 0", () => {
  const target = redisTarget({ url: "redis://a/2, b:7001,redis://[::1]:7002", ...none });
  expect(target.kind).toBe("cluster");
  expect(target.database).toBe(0);
  expect(target.nodes).toEqual([
    { host: "a", port: 6379 },
    { host: "b", port: 7001 },
    { host: "::1", port: 7002 },
  ]);
});

test("with a name the hosts are Sentinels; the password may come from elsewhere", () => {
  const target = redisTarget({
    url: "redis://one,two:5000",
    password: "secret",
    sentinelName: "main",
  });
  expect(target.kind).toBe("sentinel");
  expect(target.nodes.map(({ port }) => port)).toEqual([26_379, 5_000]);
  expect(target.password).toBe("secret");
});
