import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openEmbedded } from "../../test/support/databases.ts";
import type { AgentBackend } from "../agents/agent-backend.ts";
import type { Database } from "../database/database.ts";
import { createJobs } from "../jobs/jobs.ts";
import { Problem } from "../problems/problem.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { createForgetMemories, createUserMemories } from "./memories.ts";

let database: Database;
beforeAll(async () => {
  database = await openEmbedded();
});
afterAll(() => database?.close());
beforeEach(() => database.execute("DELETE FROM jobs; DELETE FROM sessions"));

const never = new AbortController().signal;

/** Remembers texts of users; `away`: may not be asked at all, `half`: tells and forgets only what it can. */
function source(
  name: string,
  remembered: Record<string, string[]>,
  state = { away: false, half: false },
) {
  const backend = {
    source: name,
    async memories(userId: string) {
      if (state.away) throw new Problem("agent_unavailable", { agentId: name });
      const memories = (remembered[userId] ?? []).map((text, index) => ({
        id: text,
        text,
        topics: [],
        agentIds: ["known", "unknown"],
        updatedAt: `2026-01-0${index + 1}T00:00:00.000Z`,
      }));
      return { memories, isComplete: !state.half };
    },
    async forgetMemories(userId: string, id: string | null) {
      if (state.away) throw new Problem("agent_unavailable", { agentId: name });
      const gone = (remembered[userId] ?? []).filter((text) => id === null || text === id);
      remembered[userId] = (remembered[userId] ?? []).filter((text) => !gone.includes(text));
      return { deleted: gone.length, isComplete: !state.half };
    },
  } as unknown as AgentBackend;
  return { backend, state, remembered };
}

function stage(...backends: AgentBackend[]) {
  const jobs = createJobs({
    database,
    handlers: { "forget-memories": createForgetMemories(database, backends) },
    logger: silentLogger,
    pollMs: 10,
  });
  const memories = createUserMemories({
    database,
    jobs,
    backends: [...backends, { source: "forgetful" } as AgentBackend],
    namesOf: (from) => new Map([["known", `${from}:known`]]),
    logger: silentLogger,
  });
  return { jobs, memories };
}

const waiting = async () => {
  const { rows } = await database.query<{ type: string; data: unknown }>(
    "SELECT event_type AS type, data FROM jobs",
  );
  return rows;
};

test("memories of all sources, the newest first, under ids and names that callers know", async () => {
  const one = source("one", { ann: ["old", "new"], bob: ["his"] });
  const two = source("two", { ann: [] });
  const { memories } = stage(one.backend, two.backend);
  const found = await memories.list("ann", never);
  expect(found.isComplete).toBe(true);
  expect(found.memories.map(({ id, text, agentIds }) => [id, text, agentIds])).toEqual([
    ["one.new", "new", ["one:known"]],
    ["one.old", "old", ["one:known"]],
  ]);
  two.state.away = true;
  expect(await memories.list("ann", never)).toMatchObject({
    isComplete: false,
    memories: [{}, {}],
  });
  two.state.away = false;
  one.state.half = true;
  expect((await memories.list("ann", never)).isComplete).toBe(false);
});

test("one is forgotten for its user, and for nobody else", async () => {
  const one = source("one", { ann: ["a", "b"], bob: ["a"] });
  const { memories } = stage(one.backend);
  await memories.forget("ann", "one.a", never);
  expect(one.remembered).toEqual({ ann: ["b"], bob: ["a"] });
  for (const id of ["one.a", "two.b", "b", "forgetful.b"]) {
    await expect(memories.forget("ann", id, never)).rejects.toMatchObject({
      type: "memory_not_found",
    });
  }
  one.state.half = true;
  await expect(memories.forget("ann", "one.a", never)).rejects.toMatchObject({
    type: "agent_unavailable",
  });
});

test.each(["away", "half"] as const)(
  "what could not be forgotten because its source was %s is forgotten when it is back",
  async (how) => {
    const one = source("one", { ann: ["a"] });
    const two = source("two", { ann: ["b", "c"], bob: ["d"] });
    two.state[how] = true;
    const { jobs, memories } = stage(one.backend, two.backend);
    const { deleted, isPending } = await memories.forgetAll("ann", never);
    expect({ deleted, isPending }).toEqual({ deleted: how === "away" ? 1 : 3, isPending: true });
    expect(await waiting()).toEqual([
      { type: "forget-memories", data: { userId: "ann", looks: 0 } },
    ]);
    two.state[how] = false;
    two.remembered["ann"] = ["b", "c"];
    jobs.start();
    while (two.remembered["ann"].length > 0) await new Promise((done) => setTimeout(done, 5));
    await jobs.stop();
    expect(two.remembered["bob"]).toEqual(["d"]);
  },
);

test("of who has left nothing comes back; who stays is remembered anew", async () => {
  const one = source("one", { ann: ["a"] });
  const forget = createForgetMemories(database, [one.backend]);
  let looks = 0;
  for (;;) {
    one.remembered["ann"] = ["written by a reply that was just being made"];
    const again = await forget({ userId: "ann", looks }, never);
    expect(one.remembered["ann"]).toEqual([]);
    if (!again) break;
    expect(again.data).toEqual({ userId: "ann", looks: looks + 1 });
    looks += 1;
  }
  expect(looks).toBeGreaterThan(2);
  await database.execute(
    "INSERT INTO sessions (session_id, user_id, agent_id) VALUES (gen_random_uuid(), 'ann', 'a')",
  );
  one.remembered["ann"] = ["new"];
  expect(await forget({ userId: "ann", looks: 1 }, never)).toBeUndefined();
  expect(one.remembered["ann"]).toEqual(["new"]);
  // But what she asks for is done, once.
  expect(await forget({ userId: "ann", looks: 0 }, never)).toBeUndefined();
  expect(one.remembered["ann"]).toEqual([]);
});
