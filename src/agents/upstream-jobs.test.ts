import { expect, test } from "vitest";
import type { AgentBackend } from "./agent-backend.ts";
import { createUpstreamJobs } from "./upstream-jobs.ts";

const stage = () => {
  const forgotten: unknown[] = [];
  const forgetSession: AgentBackend["forgetSession"] = async (session) => {
    forgotten.push(session);
  };
  const backend = { forgetSession } as AgentBackend;
  const jobs = createUpstreamJobs({
    find: (agentId) => (agentId === "gone" ? undefined : { backend, agentId: `own-${agentId}` }),
    sources: () => [],
  });
  return { forgotten, forget: jobs["forget-session"] };
};
const never = new AbortController().signal;
const session = { sessionId: "s", userId: "ann", agentIds: ["a", "b", "gone"] };

test("a deleted session is forgotten by its agents, at once by all of one source", async () => {
  const { forgotten, forget } = stage();
  expect(await forget(session, never)).toBeUndefined();
  expect(forgotten).toEqual([{ sessionId: "s", userId: "ann", agentIds: ["own-a", "own-b"] }]);
});

test("where a run may still write, it is looked at again, ever more seldom, for hours, and then no more", async () => {
  const { forgotten, forget } = stage();
  const pauses: number[] = [];
  let data: Parameters<typeof forget>[0] = { ...session, looks: 0 };
  for (;;) {
    const again = await forget(data, never);
    if (!again) break;
    pauses.push(again.inMs);
    data = again.data as typeof data;
  }
  expect(forgotten).toHaveLength(pauses.length + 1);
  expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
  expect(pauses.at(-1)).toBeGreaterThan(60 * 60_000);
});
