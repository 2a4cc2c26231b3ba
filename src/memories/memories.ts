import type { AgentBackend, Memories } from "../agents/agent-backend.ts";
import type { Database } from "../database/database.ts";
import type { Job, JobHandlers } from "../jobs/job.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";

/** What agents remember of users beside conversations, wherever they keep it. */
export interface UserMemories {
  /** Of all sources; `isComplete` is false where one of them could not be asked. */
  list(userId: string, signal: AbortSignal): Promise<Memories>;
  /** Raises `memory_not_found`, and `agent_unavailable` when its source cannot be asked. */
  forget(userId: string, memoryId: string, signal: AbortSignal): Promise<void>;
  /** All of them, however long that takes: what could not be done at once is pending. */
  forgetAll(
    userId: string,
    signal: AbortSignal,
  ): Promise<{ readonly deleted: number; readonly isPending: boolean }>;
}

interface MemoriesOptions {
  readonly database: Database;
  readonly jobs: Pick<Jobs, "insert" | "nudge">;
  readonly backends: readonly AgentBackend[];
  /** The names that callers know a source's agents by, by its own; who is not in it is not known. */
  readonly namesOf: (source: string) => ReadonlyMap<string, string>;
  readonly logger: Logger;
}

export function createUserMemories(options: MemoriesOptions): UserMemories {
  const { database, jobs, backends, namesOf, logger } = options;
  return {
    async list(userId, signal) {
      const found = await Promise.all(
        backends.map(async (backend) => {
          if (backend.memories === undefined) return { memories: [], isComplete: true };
          try {
            const { memories, isComplete } = await backend.memories(userId, signal);
            const { source } = backend;
            const names = namesOf(source);
            return {
              memories: memories.map((memory) => ({
                ...memory,
                id: `${source}.${memory.id}`,
                agentIds: memory.agentIds.flatMap((agentId) => names.get(agentId) ?? []),
              })),
              isComplete,
            };
          } catch (error) {
            logger.debug({ source: backend.source, err: error }, "memories could not be listed");
            return { memories: [], isComplete: false };
          }
        }),
      );
      return {
        memories: found
          .flatMap(({ memories }) => memories)
          .toSorted((a, b) => (b.updatedAt ?? "").localeCompare(a.updatedAt ?? "")),
        isComplete: found.every(({ isComplete }) => isComplete),
      };
    },

    async forget(userId, memoryId, signal) {
      const [source = "", id = ""] = memoryId.split(".", 2);
      const backend = backends.find((each) => each.source === source);
      const done = await backend?.forgetMemories?.(userId, id, signal);
      if (done !== undefined && done.deleted === 0 && !done.isComplete) {
        throw new Problem("agent_unavailable", { agentId: source }, { retryAfterSeconds: 5 });
      }
      if (done === undefined || done.deleted === 0) throw new Problem("memory_not_found", {});
    },

    async forgetAll(userId, signal) {
      // Before the first try: whatever happens in it, it will be done.
      await database.transaction((tx) =>
        jobs.insert(tx, { type: "forget-memories", data: { userId, looks: 0 } }),
      );
      const { deleted, fault } = await forgetEverywhere(backends, userId, signal);
      if (fault !== undefined) logger.debug({ err: fault }, "memories are left to be forgotten");
      jobs.nudge();
      return { deleted, isPending: fault !== undefined };
    },
  };
}

/**
 * A user who was erased may have had a reply in the making, after which the agent writes down what it has learned: so
 * it is looked at again, as long as nothing else is kept of that user.
 */
const looksAgainMs = [3_000, 30_000, 5 * 60_000, 60 * 60_000];

export function createForgetMemories(
  database: Database,
  backends: readonly AgentBackend[],
): JobHandlers["forget-memories"] {
  return async ({ userId, looks }, signal) => {
    // Later looks are for who has left; others have the right to be remembered anew.
    const isBack = looks > 0 && (await hasSessions(database, userId));
    if (isBack) return undefined;
    const { fault } = await forgetEverywhere(backends, userId, signal);
    if (fault !== undefined) throw fault;
    const inMs = looksAgainMs[looks];
    if (inMs === undefined || (await hasSessions(database, userId))) return undefined;
    const data: Extract<Job, { type: "forget-memories" }>["data"] = { userId, looks: looks + 1 };
    return { data, inMs };
  };
}

async function hasSessions(database: Database, userId: string): Promise<boolean> {
  const { rows } = await database.query<{ has: boolean }>(
    "SELECT EXISTS (SELECT FROM sessions WHERE user_id = $1) AS has",
    [userId],
  );
  return rows[0]?.has === true;
}

async function forgetEverywhere(
  backends: readonly AgentBackend[],
  userId: string,
  signal: AbortSignal,
): Promise<{ readonly deleted: number; readonly fault: unknown }> {
  const outcomes = await Promise.allSettled(
    backends.map(async (backend) => backend.forgetMemories?.(userId, null, signal)),
  );
  let deleted = 0;
  let fault: unknown;
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") fault = outcome.reason;
    else if (outcome.value !== undefined) {
      deleted += outcome.value.deleted;
      if (!outcome.value.isComplete) fault ??= new Error("a server could not be asked");
    }
  }
  return { deleted, fault };
}
