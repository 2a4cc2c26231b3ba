import { expect, test } from "vitest";
import * as rules from "./rules.ts";

const allRules = new Map(Object.entries(rules));

const cases: readonly [keyof typeof rules, readonly string[], readonly string[]][] = [
  [
    "webUrl",
    ["http://a", "https://a.b:8080/v1/", "HTTP://[::1]:80", "http://u:p@h/x?y=z"],
    ["", "a", "ftp://a", "http:a", "http://", "http://a b", "http://a:99999", "https:///x y"],
  ],
  [
    "baseUrl",
    ["http://a", "https://a.b:8080/v1/", "http://u:p@h/x"],
    ["", "a", "http://h/v1?api-version=1", "http://h/#x", "http://h?"],
  ],
  [
    "databaseUrl",
    [
      "postgres://h",
      "postgresql://u:p%40ss@h:5432/db?sslmode=require",
      "postgresql:///db?host=/run/postgresql",
    ],
    ["", "mysql://h/db", "h:5432/db", "postgres://u:p%ss@h/db", "postgres://h:x/db", "postgres:h"],
  ],
  [
    "redisUrl",
    [
      "redis://h",
      "rediss://:p@h:6380/2",
      "redis://h1:7000,h2:7001, h3:7002",
      "redis://u:p@h1:1,redis://u:p@h2:2",
      "redis://[::1]:6379",
    ],
    [
      "",
      "h:6379",
      "http://h",
      "redis://",
      "redis://h:99999",
      "redis://h1,rediss://h2",
      "redis://h1,,h2",
      "redis://h1,h2:x",
      "redis://:p%zz@h",
      "redis://h 1",
    ],
  ],
  [
    "workerCount",
    ["auto", "1", "16", "256"],
    ["", "0", "01", "-1", "1.5", "257", "all", "AUTO", "2 "],
  ],
  ["urlPath", ["/metrics", "/a/b.c-d_e~f"], ["", "/", "metrics", "/a/", "//a", "/a b", "/a?b"]],
  ["urlPathOrEmpty", ["", "/api/v1"], ["/", "api"]],
  [
    "browserOrigin",
    ["*", "https://a.example", "http://localhost:3000", "chrome-extension://abcdef"],
    ["", "a.example", "https://a/", "https://a/b", "https://*.a.example", "https://u@a"],
  ],
  [
    "hostName",
    ["0.0.0.0", "::", "::1", "my-host.local", "a_b"],
    ["", "a b", "http://a", "a:1", "a/b"],
  ],
  ["reachableHost", ["10.0.0.1", "::1", "chat"], ["0.0.0.0", "::", "0:0:0:0:0:0:0:0", "a b"]],
  [
    "hostPattern",
    ["*", "a.example", "*.a.example", "127.0.0.1", "::1", "[::1]"],
    ["", "https://a", "a/b", "a.*", "a:80"],
  ],
  [
    "addressRange",
    ["10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "::1", "fd00::/8", "::/128"],
    [
      "",
      "loopback",
      "10.0.0",
      "10.0.0.0/33",
      "10.0.0.0/",
      "10.0.0.0/-1",
      "10.0.0.0/8/8",
      "fd00::/129",
      "10.0.0.0/8 ",
    ],
  ],
];

test.each(cases)("%s", (name, good, bad) => {
  const rule = allRules.get(name)!;
  expect(good.filter((value) => !rule.holds(value))).toEqual([]);
  expect(bad.filter((value) => rule.holds(value))).toEqual([]);
});

test("every rule has its cases", () => {
  expect(cases.map(([name]) => name).toSorted()).toEqual([...allRules.keys()].toSorted());
});
