import type { NetworkInterfaceInfo } from "node:os";
import { expect, test } from "vitest";
import { advertisedHost, isLoopback, serviceUrl } from "./advertised-address.ts";

const address = (text: string, internal = false): NetworkInterfaceInfo =>
  ({
    address: text,
    family: text.includes(":") ? "IPv6" : "IPv4",
    internal,
  }) as NetworkInterfaceInfo;

const machine = {
  lo: [address("127.0.0.1", true), address("::1", true)],
  docker0: [address("172.17.0.1")],
  eth0: [address("fe80::1"), address("10.0.0.5"), address("2001:db8::5")],
  eth1: [address("192.168.1.5")],
};

test.each([
  ["what is configured", "chat.internal", "0.0.0.0", machine, "chat.internal"],
  ["what it listens on", null, "10.9.9.9", machine, "10.9.9.9"],
  ["its loopback, if only there", null, "127.0.0.1", machine, "127.0.0.1"],
  ["the first outward IPv4 for 0.0.0.0", null, "0.0.0.0", machine, "10.0.0.5"],
  ["the same for ::", null, "::", machine, "10.0.0.5"],
  ["the same for a long ::", null, "0:0:0:0:0:0:0:0", machine, "10.0.0.5"],
  ["the same for nothing", "", "", machine, "10.0.0.5"],
  [
    "IPv6 but no link-local",
    null,
    "::",
    { eth0: [address("fe80::1"), address("2001:db8::5")] },
    "2001:db8::5",
  ],
  [
    "a bridge if there is nothing else",
    null,
    "0.0.0.0",
    { docker0: machine.docker0 },
    "172.17.0.1",
  ],
  ["the loopback of a machine without a network", null, "0.0.0.0", { lo: machine.lo }, "127.0.0.1"],
])("advertises %s", (_name, configured, listeningOn, interfaces, expected) => {
  expect(advertisedHost(configured, listeningOn, interfaces)).toBe(expected);
});

test("never the address that stands for all", () => {
  expect(advertisedHost(null, "0.0.0.0")).not.toMatch(/^[0:.]*$/);
});

test("URLs and loopbacks in both families", () => {
  expect(serviceUrl("10.0.0.5", 8001)).toBe("http://10.0.0.5:8001");
  expect(serviceUrl("2001:db8::5", 8001)).toBe("http://[2001:db8::5]:8001");
  expect(["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"].every(isLoopback)).toBe(true);
  expect(["10.0.0.1", "1.127.0.0", "localhost.example", "::"].some(isLoopback)).toBe(false);
});
