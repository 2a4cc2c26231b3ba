import { expect, test } from "vitest";
import { agentRights, grantsAgent, isAgentRight } from "./agent-rights.ts";
import { permissionsOf } from "./claims.ts";

test.each([
  [[], undefined],
  [["manage_sessions", "agent:a:run"], undefined],
  [
    ["agents:a:run", "send_message", "agents:agno:b:run"],
    ["a", "agno:b"],
  ],
  [["agents:*:run"], ["*"]],
  // Whoever speaks of agents at all is limited.
  [["agents:a:read"], []],
  [["agents:run"], []],
  [["agents::run"], []],
] as const)("%j opens %j", (names, rights) => {
  expect(agentRights(names)).toEqual(rights);
});

test.each([
  ["a", "a", true],
  ["a", "A", false],
  ["a", "ab", false],
  ["*", "anything:at all", true],
  ["support-*", "support-de", true],
  ["support-*", "my-support-de", false],
  ["*:chat", "agno:chat", true],
  ["a*b*c", "a-b-b-c", true],
  ["a*b*c", "a-c-b", false],
  ["ab*bc", "abc", false],
  ["a.c", "abc", false],
  ["*".repeat(5_000), "x".repeat(200), true],
] as const)("%s lets one run %s: %s", (right, agentId, isGranted) => {
  expect(grantsAgent([right], agentId)).toBe(isGranted);
});

test("no number and no length of other permissions hides a limit", () => {
  const others = Array.from({ length: 300 }, (_, index) => `other:${index}`);
  const long = `agents:${"x".repeat(400)}:run`;
  expect(agentRights(permissionsOf([...others, "agents:a:run"]))).toEqual(["a"]);
  expect(agentRights(permissionsOf([long]))).toHaveLength(1);
});

test.each([
  ["agents:a:run", true],
  ["agents:agno:a-*:run", true],
  ["agents:a:read", false],
  ["agents::run", false],
  ["agents:a b:run", false],
])("%s in the scopes of a key: %s", (name, isRight) => {
  expect(isAgentRight(name)).toBe(isRight);
});
