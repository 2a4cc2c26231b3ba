import { expect, it } from "vitest";
import type { Config } from "../config/settings.ts";
import { isHost, servedHosts } from "./host-check.ts";

const local = ["localhost", "*.localhost", "127.0.0.1", "::1"];
const served = (mode: string, host: string, allowed_hosts: string[] = [], trusted: string[] = []) =>
  servedHosts({
    auth: { mode },
    service: { host },
    security: { allowed_hosts, trusted_proxies: trusted },
  } as unknown as Config);

it("are this machine's own where it lets in everybody on it, and else all", () => {
  expect(served("open", "127.0.0.1")).toEqual([...local, "127.0.0.1"]);
  expect(served("open", "127.9.9.9")).toEqual([...local, "127.9.9.9"]);
  expect(served("open", "::1")).toEqual([...local, "::1"]);
  expect(served("open", "localhost")).toEqual([...local, "localhost"]);
  for (const host of ["0.0.0.0", "::", "192.168.1.5", "chat.internal"]) {
    expect(served("open", host)).toEqual(["*"]);
  }
  for (const mode of ["jwt", "base-service"]) expect(served(mode, "127.0.0.1")).toEqual(["*"]);
  expect(served("open", "127.0.0.1", [], ["127.0.0.1/32"])).toEqual(["*"]);
});

it("are the configured ones, if any", () => {
  expect(served("open", "127.0.0.1", ["*"])).toEqual(["*"]);
  expect(served("jwt", "0.0.0.0", ["chat.example.com"])).toEqual(["chat.example.com"]);
});

const hosts = [
  "localhost",
  "127.0.0.1:8001",
  "[::1]",
  "[::1]:8001",
  "a_b.example.com:65535",
  "xn--fiq228c.example",
  "",
];
const noHosts = [
  "localhost:8001@evil",
  "a b",
  "a,b",
  "a/b",
  "a:",
  "a:b",
  "a:123456",
  "[::1",
  "::1",
  "a?b",
  "a#b",
  "a%2eb",
  "ä",
  "a:1:2",
];

it.each(hosts)("a Host header may be %j", (host) => expect(isHost(host)).toBe(true));
it.each(noHosts)("a Host header may not be %j", (host) => expect(isHost(host)).toBe(false));
