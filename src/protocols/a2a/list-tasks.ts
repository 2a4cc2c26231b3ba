import { TaskState, type ListTasksRequest, type ListTasksResponse } from "@a2a-js/sdk";
import { decodeCursor, encodeCursor } from "../../http/cursor.ts";
import type { ExternalIds } from "../conversation-name.ts";
import { faulty } from "../faulty.ts";
import { contextNamespace } from "./request.ts";
import { isTaskPosition, type TaskRow, type TaskStore } from "./task-store.ts";

interface Sources {
  readonly tasks: Pick<TaskStore, "list" | "count">;
  readonly externalIds: Pick<ExternalIds, "find">;
}

interface Caller {
  readonly userId: string;
  /** Whose tasks alone; undefined: any agent's. */
  readonly agentId: string | undefined;
}

type TaskRows = Omit<ListTasksResponse, "tasks"> & { readonly rows: readonly TaskRow[] };

const repliesIn: Readonly<Partial<Record<TaskState, readonly string[]>>> = {
  [TaskState.TASK_STATE_SUBMITTED]: ["queued"],
  [TaskState.TASK_STATE_WORKING]: ["streaming"],
  [TaskState.TASK_STATE_INPUT_REQUIRED]: ["paused"],
  [TaskState.TASK_STATE_COMPLETED]: ["complete"],
  [TaskState.TASK_STATE_CANCELED]: ["cancelled"],
  [TaskState.TASK_STATE_FAILED]: ["failed", "interrupted"],
  [TaskState.TASK_STATE_REJECTED]: ["failed"],
  [TaskState.TASK_STATE_AUTH_REQUIRED]: [],
};

/** A page of somebody's tasks, newest first. Raises `validation_failed` for what cannot be asked. */
export async function listTasks(
  asked: ListTasksRequest,
  { userId, agentId }: Caller,
  { tasks, externalIds }: Sources,
): Promise<TaskRows> {
  const { contextId, pageToken, pageSize = 50, includeArtifacts: withText = false } = asked;
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > 100) {
    throw faulty("/params/pageSize", "must be 1 to 100", "必须在 1 至 100 之间");
  }
  const statuses = statusesOf(asked.status);
  const since = momentOf(asked.statusTimestampAfter);
  const after = pageToken === "" ? null : decodeCursor(pageToken, isTaskPosition);
  const session =
    contextId === ""
      ? undefined
      : await externalIds.find(userId, { namespace: contextNamespace, id: contextId });
  if (session === null) return { rows: [], nextPageToken: "", pageSize: 0, totalSize: 0 };
  const filter = { userId, agentId, sessionId: session?.sessionId, statuses, since };
  const [page, totalSize] = await Promise.all([
    tasks.list(filter, after, { limit: pageSize, withText }),
    tasks.count(filter),
  ]);
  const last = page.tasks.at(-1);
  return {
    rows: page.tasks,
    nextPageToken:
      page.hasMore && last !== undefined
        ? encodeCursor({ activity: last.activity, sessionId: last.sessionId, seq: last.seq })
        : "",
    pageSize: page.tasks.length,
    totalSize,
  };
}

/** Of replies; null: any. */
function statusesOf(state: TaskState): readonly string[] | null {
  if (state === TaskState.TASK_STATE_UNSPECIFIED) return null;
  const statuses = repliesIn[state];
  if (statuses === undefined) {
    throw faulty("/params/status", "is no state of a task", "不是任务状态");
  }
  return statuses;
}

function momentOf(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const moment = new Date(text);
  if (Number.isNaN(moment.getTime())) {
    throw faulty(
      "/params/statusTimestampAfter",
      "must be a moment (ISO 8601)",
      "必须是 ISO 8601 时间",
    );
  }
  return moment;
}
