import { expect, test } from "vitest";
import { actFor, actedUserId, actingCaller, isActedUser, mayActAs } from "./acting.ts";
import { userIdOf } from "./claims.ts";
import type { Identity } from "./identity.ts";

const key: Identity = {
  userId: "front-end",
  roles: ["reader"],
  kind: "api_key",
  keyName: "webui",
  scopes: ["send_message", "manage_sessions"],
  onDisconnect: "cancel",
  actsForUsers: true,
};

test("whom a front end acts for is a user, with what the key may do but nothing of an administrator", () => {
  expect(actFor({ ...key, roles: ["admin"] }, "alice", "/user")).toEqual({
    userId: "via:webui:alice",
    roles: [],
    kind: "api_key",
    keyName: "webui",
    scopes: ["send_message"],
    onDisconnect: "cancel",
  });
});

test("no two front ends and no two names share a user, and no issuer may name one", () => {
  const names = ["a", "a:b", "b", "#a", "x".repeat(128), `${"x".repeat(127)}y`, "小明"];
  const keys = ["a", "b", "a.b", "A"];
  const ids = keys.flatMap((keyName) => names.map((name) => actedUserId(keyName, name)));
  expect(new Set(ids).size).toBe(keys.length * names.length);
  for (const id of ids) {
    expect(id.length).toBeLessThanOrEqual(128);
    expect(isActedUser(id)).toBe(true);
    expect(userIdOf(id)).toBeNull();
  }
  // What would make `a` and `b:c` out of `a:b` and `c`.
  for (const name of ["a:b", "a#b", "", "a b", "x".repeat(33), "ключ"]) {
    expect(mayActAs(name)).toBe(false);
  }
});

test.each([
  ["nobody", undefined, "front-end"],
  ["a blank", ["", " "], "front-end"],
  ["one", ["alice"], "via:webui:alice"],
  ["one twice, and a blank", ["alice", "", "alice"], "via:webui:alice"],
  ["somebody of another front end", ["via:other:alice"], "via:webui:via:other:alice"],
] as const)("the headers name %s", (_what, users, userId) => {
  expect(actingCaller(key, { ...(users && { users }) }).userId).toBe(userId);
});

test.each([
  ["two users", ["alice", "bob"]],
  ["what nobody sees", ["ali\u200bce"]],
  ["half a character", ["\ud800"]],
  ["too much", ["x".repeat(129)]],
  ["a blank at the end", ["alice "]],
])("%s is refused", (_what, users) => {
  expect(() => actingCaller(key, { users })).toThrow(
    expect.objectContaining({ type: "bad_request", details: [expect.anything()] }),
  );
});

test.each([
  { ...key, actsForUsers: undefined },
  { userId: "u", roles: ["admin"], kind: "token" as const, token: "t" },
])("a name beside any other credential means nothing, not even a bad one", (identity) => {
  const { actsForUsers: _, ...other } = identity as Identity;
  expect(actingCaller(other, { users: ["alice", "bob"] })).toBe(other);
});
