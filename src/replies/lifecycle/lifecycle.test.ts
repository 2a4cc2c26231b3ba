import { expect, test } from "vitest";
import { CommitUnanswered, type Database, type Transaction } from "../../database/database.ts";
import type { BusinessEvent } from "../../events/business-event.ts";
import type { Job } from "../../jobs/job.ts";
import { Problem } from "../../problems/problem.ts";
import { createLifecycle } from "./lifecycle.ts";
import type { Transition } from "./transition.ts";

const unanswered = () => {
  const cause = new CommitUnanswered("lost");
  return new Problem("storage_unavailable", {}, { cause });
};
const gaveWay = () => Object.assign(new Error("deadlock"), { code: "40P01" });
const job: Job = { type: "forget-session", data: { sessionId: "s", userId: "u", agentIds: [] } };

const event: BusinessEvent = {
  type: "chat_session.created",
  data: { session_id: "s", user_id: "u", agent_id: "a", creation_time: "" },
};

/** A database whose transactions end with these errors, one after the other, and then do not. */
function stage(errors: readonly Error[], jobsOf: (isRepeat: boolean) => readonly Job[] = () => []) {
  const repeats: boolean[] = [];
  const recorded: string[] = [];
  const inserted: Job[] = [];
  let nudges = 0;
  let runs = 0;
  const database: Pick<Database, "transaction"> = {
    async transaction(work) {
      const error = errors[runs];
      runs += 1;
      const result = await work({ commit() {} } as Transaction);
      if (error !== undefined) throw error;
      return result;
    },
  };
  const transition: Transition<string, string> = {
    name: "cancel",
    async apply(_, input, isRepeat) {
      repeats.push(isRepeat);
      return { result: input, effects: [], jobs: jobsOf(isRepeat), events: [event] };
    },
  };
  const lifecycle = createLifecycle({
    database: database as Database,
    jobs: {
      async insert(_, each) {
        inserted.push(each);
      },
      nudge() {
        nudges += 1;
      },
    },
    async recordEvent(_, { type }) {
      recorded.push(type);
    },
  });
  return {
    run: (isRepeat?: boolean) => lifecycle.run(transition, "input", isRepeat),
    repeats,
    inserted,
    recorded,
    nudges: () => nudges,
  };
}

test("what must not be lost is written in the same transaction, and looked for at once", async () => {
  const { run, repeats, inserted, recorded, nudges } = stage([], () => [job]);
  expect(await run()).toMatchObject({ result: "input" });
  expect({ repeats, inserted, recorded, nudges: nudges() }).toEqual({
    repeats: [false],
    inserted: [job],
    recorded: ["chat_session.created"],
    nudges: 1,
  });
});

test("without jobs nobody is woken up", async () => {
  const { run, nudges } = stage([]);
  await run();
  expect(nudges()).toBe(0);
});

test("after a commit without an answer it is repeated as such, and jobs of the first try are looked for", async () => {
  const { run, repeats, nudges } = stage([unanswered()], (isRepeat) => (isRepeat ? [] : [job]));
  await run();
  expect(repeats).toEqual([false, true]);
  expect(nudges()).toBe(1);
});

test("what gave way to another transaction has not happened: it is simply done again", async () => {
  const { run, repeats } = stage([gaveWay(), gaveWay()]);
  await run();
  expect(repeats).toEqual([false, false, false]);
});

test("a repeat that gives way is still a repeat, also one of the caller's", async () => {
  const { run, repeats } = stage([unanswered(), gaveWay()]);
  await run();
  expect(repeats).toEqual([false, true, true]);
  const own = stage([]);
  await own.run(true);
  expect(own.repeats).toEqual([true]);
});

test("it is not tried for ever", async () => {
  const { run, repeats } = stage(Array.from({ length: 9 }, unanswered));
  await expect(run()).rejects.toMatchObject({ type: "storage_unavailable" });
  expect(repeats).toHaveLength(3);
});

test("any other fault is the caller's at once", async () => {
  const { run, repeats } = stage([new Problem("storage_unavailable", {})]);
  await expect(run()).rejects.toMatchObject({ type: "storage_unavailable" });
  expect(repeats).toHaveLength(1);
});
