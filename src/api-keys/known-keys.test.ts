import { expect, test } from "vitest";
import { silentLogger } from "../telemetry/logger.ts";
import { newKey, type ApiKey } from "./api-key.ts";
import { createKnownKeys } from "./known-keys.ts";

type Live = ApiKey & { readonly sha256: string };

const never = { createdBy: null, createdAt: new Date(), revokedAt: null, lastUsedAt: null };
const keyOf = (name: string, more: Partial<ApiKey> = {}) => {
  const { key, sha256, hint } = newKey();
  const about = { scopes: null, actsForUsers: false, onDisconnect: null, expiresAt: null };
  const row: Live = {
    keyId: name,
    name,
    userId: `user of ${name}`,
    roles: [],
    sha256,
    hint,
    ...about,
    ...never,
    ...more,
  };
  return { key, row };
};

function stage(live: Live[] = [], configured: string[] = [], hasOthers = true) {
  const done = { versions: 0, reads: 0, written: [] as string[][] };
  let version = 0;
  let isAway = false;
  const keys = createKnownKeys({
    store: {
      async version() {
        done.versions += 1;
        if (isAway) throw new Error("away");
        return version;
      },
      async live() {
        done.reads += 1;
        return [...live];
      },
      async used(used) {
        done.written.push([...used.keys()]);
      },
    },
    configured: new Set(configured),
    logger: silentLogger,
    hasOthers,
  });
  return {
    keys,
    done,
    change(rows: Live[]) {
      live = rows;
      version += 1;
    },
    goAway: () => void (isAway = true),
  };
}

test("a request with a known key asks the store nothing, and says once that it was used", async () => {
  const { key, row } = keyOf("a");
  const { keys, done } = stage([row]);
  await keys.refresh();
  const before = { ...done };
  for (let count = 0; count < 1_000; count += 1) {
    expect(await keys.find(key)).toMatchObject({ userId: "user of a", keyId: "a", keyName: "a" });
  }
  expect(done).toEqual(before);
  await keys.close();
  expect(done.written).toEqual([["a"]]);
});

test("a key that was just made elsewhere works at once, and many that nobody knows are one look", async () => {
  const { keys, done, change } = stage();
  await keys.refresh();
  const { key, row } = keyOf("new");
  change([row]);
  expect(await keys.find(key)).toMatchObject({ userId: "user of new" });
  const looks = done.versions;
  const unknown = Array.from({ length: 500 }, () => keys.find(newKey().key));
  expect(new Set(await Promise.all(unknown))).toEqual(new Set([null]));
  expect(done.versions - looks).toBeLessThanOrEqual(1);
  expect(await keys.find("sk-of-another-service")).toBeNull();
  expect(done.reads).toBe(2);
  await keys.close();
});

test("whoever holds something open with a key is told when it is gone, and nobody else", async () => {
  const [kept, gone] = [keyOf("kept"), keyOf("gone")];
  const { keys, change } = stage([kept.row, gone.row]);
  await keys.refresh();
  const told: string[] = [];
  for (const { key } of [kept, gone]) {
    const identity = await keys.find(key);
    keys.watch(identity!, () => told.push(identity!.keyName!));
    keys.watch(identity!, () => told.push("left"))?.();
  }
  change([kept.row]);
  await keys.refresh();
  expect(told).toEqual(["gone"]);
  expect(await keys.find(gone.key)).toBeNull();
  await keys.close();
});

test("what has expired, or has a name of the configuration, lets nobody in", async () => {
  const over = keyOf("over", { expiresAt: new Date(Date.now() - 1) });
  const taken = keyOf("taken");
  const { keys } = stage([over.row, taken.row], ["taken"]);
  await keys.refresh();
  expect(await keys.find(over.key)).toBeNull();
  expect(await keys.find(taken.key)).toBeNull();
  await keys.close();
});

test("while the store is away, what is known stays and what is not is refused", async () => {
  const { key, row } = keyOf("a");
  const { keys, goAway } = stage([row]);
  await keys.refresh();
  goAway();
  expect(await keys.find(newKey().key)).toBeNull();
  expect(await keys.find(key)).toMatchObject({ userId: "user of a" });
  await keys.close();
});
