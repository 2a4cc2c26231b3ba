import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { ConfiguredApiKey } from "../config/sections/access.ts";
import { withApiKeys } from "./api-keys.ts";
import { actions, type Credentials, type IdentityProvider } from "./identity.ts";
import { createOpenIdentity } from "./open.ts";
import { forbidden, unauthorized } from "./refusals.ts";

const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");

const keys: readonly ConfiguredApiKey[] = [
  { name: "reports", sha256: sha256("key-of-reports"), user_id: "reports" },
  { name: "operator", sha256: sha256("key-of-operator"), user_id: "ops", roles: ["admin"] },
  {
    name: "reader",
    sha256: sha256("key-of-reader"),
    user_id: "reader",
    roles: ["admin"],
    scopes: ["access_chat_session"],
  },
  { name: "cleaner", sha256: sha256("k3"), user_id: "cleaner", scopes: ["manage_sessions"] },
];

/** A provider in which everybody with any Bearer is `token-user`. */
const tokens: IdentityProvider = {
  mode: "jwt",
  async authenticate({ authorization }) {
    if (authorization === undefined) throw unauthorized("missing");
    return { userId: "token-user", roles: [], kind: "token" };
  },
  async authorize(_identity, action) {
    if (action === "manage_sessions") throw forbidden(action);
  },
  async close() {},
};

const modes = { open: createOpenIdentity(), tokens };

async function callerOf(mode: keyof typeof modes, credentials: Credentials): Promise<unknown> {
  try {
    return (await withApiKeys(modes[mode], keys).authenticate(credentials))?.userId ?? null;
  } catch (error) {
    return (error as { status: number }).status;
  }
}

test.each([
  ["open", { apiKey: "key-of-reports" }, "reports"],
  ["open", { authorization: "Bearer key-of-operator" }, "ops"],
  ["open", { apiKey: "wrong" }, 401],
  ["open", { authorization: "Bearer sk-anything-clients-send" }, null],
  ["open", { authorization: "Bearer sk-anything", apiKey: "key-of-reports" }, "reports"],
  ["open", {}, null],
  ["tokens", { apiKey: "key-of-reports" }, "reports"],
  ["tokens", { authorization: "Bearer key-of-reports" }, "reports"],
  ["tokens", { authorization: "bearer  key-of-reports" }, "reports"],
  ["tokens", { apiKey: "wrong" }, 401],
  ["tokens", { apiKey: "key-of-report" }, 401],
  ["tokens", { apiKey: "KEY-OF-REPORTS" }, 401],
  ["tokens", { apiKey: "key-of-reports " }, 401],
  ["tokens", { apiKey: sha256("key-of-reports") }, 401],
  ["tokens", { authorization: "Basic key-of-reports", apiKey: "key-of-reports" }, "token-user"],
  ["tokens", { authorization: "Bearer of-a-user", apiKey: "meant-for-a-gateway" }, "token-user"],
  ["tokens", {}, 401],
] as const)("%s mode, %j: %s", async (mode, credentials, caller) => {
  expect(await callerOf(mode, credentials)).toBe(caller);
});

async function allowedTo(apiKey: string, mode: keyof typeof modes = "tokens"): Promise<string[]> {
  const provider = withApiKeys(modes[mode], keys);
  const identity = (await provider.authenticate({ apiKey }))!;
  expect(identity.kind).toBe("api_key");
  const allowed: string[] = [];
  for (const action of actions) {
    try {
      await provider.authorize(identity, action);
      allowed.push(action);
    } catch (error) {
      expect(error).toMatchObject({ type: "forbidden", status: 403 });
    }
  }
  return allowed;
}

test("a key may do what its roles allow, and with scopes only those", async () => {
  const chat = actions.filter((action) => action !== "manage_sessions");
  expect(await allowedTo("key-of-reports")).toEqual(chat);
  expect(await allowedTo("key-of-operator")).toEqual([...actions]);
  expect(await allowedTo("key-of-reader")).toEqual(["access_chat_session"]);
  expect(await allowedTo("k3")).toEqual(["manage_sessions"]);
  expect(await allowedTo("key-of-reader", "open")).toEqual(["access_chat_session"]);
});

test("other callers are the provider's business", async () => {
  const provider = withApiKeys(tokens, keys);
  const user = { userId: "u", roles: ["admin"], kind: "token" } as const;
  await expect(provider.authorize(user, "manage_sessions")).rejects.toMatchObject({ status: 403 });
  await provider.authorize(user, "send_message");
});

test("a scope or hash that is none is refused with the key's name, and never with its hash", () => {
  const wrongScope = [{ ...keys[0]!, scopes: ["send_messages"] }];
  expect(() => withApiKeys(tokens, wrongScope)).toThrow(/reports: no such scope.*send_message/);
  expect(() => withApiKeys(tokens, [{ ...keys[0]!, sha256: "abcd" }])).toThrow(
    /^(?!.*abcd).*reports/,
  );
});

test("what can only be a key that was made here is refused in every mode when it is none any more", async () => {
  const found = { userId: "front", roles: [], kind: "api_key", actsForUsers: true } as const;
  const stored = {
    isForm: (text: string) => text.startsWith("csk_"),
    find: async (key: string) => (key === "csk_known" ? { ...found, keyName: "front" } : null),
    watch: () => () => undefined,
    close: async () => {},
  };
  for (const mode of [modes.open, modes.tokens]) {
    const provider = withApiKeys(mode, [], stored);
    for (const credentials of [{ apiKey: "csk_gone" }, { authorization: "Bearer csk_gone" }]) {
      await expect(provider.authenticate(credentials)).rejects.toMatchObject({ status: 401 });
    }
    const caller = await provider.authenticate({ apiKey: "csk_known", users: ["alice"] });
    expect(caller?.userId).toBe("via:front:alice");
  }
});

test("without keys the provider is used as it is", () => {
  expect(withApiKeys(tokens, [])).toBe(tokens);
});
