import { client } from "../api/client.ts";
import { ApiError, ConnectionError } from "../../../packages/client/src/index.ts";
import type { SessionInfo } from "../api/types.ts";
import { conversation, updateConversation } from "./conversation.ts";
import { notifyError } from "./notices.ts";
import { createStore } from "./store.ts";
import { tellTabs } from "./tabs.ts";

interface SessionList {
  readonly status: "active" | "archived";
  /** Part of the title looked for. */
  readonly search: string;
  /** Only those with it; null: whatever their tags. */
  readonly tag: string | null;
  /** Only those that are pinned. */
  readonly isPinned: boolean;
  readonly sessions: readonly SessionInfo[];
  readonly nextCursor: string | null;
  readonly isLoaded: boolean;
}

export const sessionList = createStore<SessionList>({
  status: "active",
  search: "",
  tag: null,
  isPinned: false,
  sessions: [],
  nextCursor: null,
  isLoaded: false,
});

/** Tags that were seen on conversations. */
export const knownTags = createStore<ReadonlySet<string>>(new Set());

function noteTags(sessions: readonly SessionInfo[]): void {
  const seen = sessions.flatMap(({ tags }) => tags);
  knownTags.set((known) =>
    seen.every((tag) => known.has(tag)) ? known : new Set([...known, ...seen]),
  );
}

/** What the list is narrowed by, as the service takes it. */
function wanted({ status, search, tag, isPinned }: SessionList) {
  return {
    status,
    q: search.trim() || undefined,
    tag: tag ?? undefined,
    pinned: isPinned || undefined,
  };
}

/** Deleted by the user, while that can still be undone. */
export const deletedSessions = createStore<ReadonlySet<string>>(new Set());

const pageSize = 40;
const maxPageSize = 100;
let newestLoad = 0;

/** Loads the list anew, as long as it was. Failures leave what is shown. */
export async function refreshSessions(): Promise<void> {
  const { sessions } = sessionList.get();
  const load = ++newestLoad;
  const limit = Math.min(maxPageSize, Math.max(pageSize, sessions.length));
  try {
    const page = await client.sessions.list({
      ...wanted(sessionList.get()),
      order: "pinned",
      limit,
    });
    if (load !== newestLoad) return;
    noteTags(page.sessions);
    const shown = new Set(page.sessions.map(({ session_id: id }) => id));
    const rest = sessions.length > maxPageSize ? sessions.slice(maxPageSize) : [];
    sessionList.set((list) => ({
      ...list,
      sessions: [...page.sessions, ...rest.filter(({ session_id: id }) => !shown.has(id))],
      nextCursor: rest.length > 0 ? list.nextCursor : page.pagination.next_cursor,
      isLoaded: true,
    }));
  } catch (error) {
    if (
      !(error instanceof ConnectionError) &&
      !(error instanceof ApiError && error.status === 401)
    ) {
      notifyError(error);
    }
  }
}

export async function loadMoreSessions(): Promise<void> {
  const { nextCursor } = sessionList.get();
  if (nextCursor === null) return;
  const load = ++newestLoad;
  const page = await client.sessions.list({
    order: "pinned",
    ...wanted(sessionList.get()),
    cursor: nextCursor,
    limit: pageSize,
  });
  if (load !== newestLoad) return;
  noteTags(page.sessions);
  sessionList.set((list) => {
    const shown = new Set(list.sessions.map(({ session_id: id }) => id));
    const added = page.sessions.filter(({ session_id: id }) => !shown.has(id));
    return {
      ...list,
      sessions: [...list.sessions, ...added],
      nextCursor: page.pagination.next_cursor,
    };
  });
}

export function chooseSessions(
  change: Partial<Pick<SessionList, "status" | "search" | "tag" | "isPinned">>,
): void {
  sessionList.set((list) => ({
    ...list,
    ...change,
    ...(change.search === undefined && { sessions: [], nextCursor: null, isLoaded: false }),
  }));
  void refreshSessions();
}

/** As the service sorts: what is pinned, then what happened last. */
function standsBefore(session: SessionInfo, other: SessionInfo): boolean {
  if (session.pinned !== other.pinned) return session.pinned;
  return session.last_activity > other.last_activity;
}

/** Puts a session's newest state into the list, where it belongs. */
export function noteSession(session: SessionInfo): void {
  noteTags([session]);
  sessionList.set((list) => {
    const others = list.sessions.filter(({ session_id: id }) => id !== session.session_id);
    const isNew = others.length === list.sessions.length;
    const isListed =
      session.status === list.status &&
      (session.pinned || !list.isPinned) &&
      (list.tag === null || session.tags.includes(list.tag));
    if (!isListed) return { ...list, sessions: others };
    if (isNew && list.search !== "") return list;
    const before = others.findIndex((other) => standsBefore(session, other));
    const at = before === -1 ? others.length : before;
    // Beyond the loaded part of the list.
    if (isNew && at === others.length && list.nextCursor !== null) return list;
    return { ...list, sessions: others.toSpliced(at, 0, session) };
  });
}

/** It is deleted. */
export function dropSession(sessionId: string): void {
  sessionList.set((list) => {
    const sessions = list.sessions.filter(({ session_id: id }) => id !== sessionId);
    return sessions.length === list.sessions.length ? list : { ...list, sessions };
  });
}

/** Changed here: where it is open, that is seen at once. */
function noteChanged(session: SessionInfo): void {
  noteSession(session);
  if (conversation.get().sessionId === session.session_id) updateConversation({ session });
}

export async function renameSession(sessionId: string, title: string): Promise<void> {
  noteChanged(await client.sessions.update(sessionId, { title: title.trim() || null }));
  tellTabs(sessionId);
}

export async function pinSession(sessionId: string, pinned: boolean): Promise<void> {
  noteChanged(await client.sessions.update(sessionId, { pinned }));
  tellTabs(sessionId);
}

export async function tagSession(sessionId: string, tags: readonly string[]): Promise<void> {
  noteChanged(await client.sessions.update(sessionId, { tags }));
  tellTabs(sessionId);
}

export async function archiveSession(sessionId: string, isArchived: boolean): Promise<void> {
  noteChanged(
    await client.sessions.update(sessionId, { status: isArchived ? "archived" : "active" }),
  );
  tellTabs(sessionId);
}

const undoMs = 7_000;
const pending = new Map<string, ReturnType<typeof setTimeout>>();

/** Hides a session and deletes it when the time for second thoughts is over. */
export function deleteSession(sessionId: string): void {
  deletedSessions.set((deleted) => new Set([...deleted, sessionId]));
  clearTimeout(pending.get(sessionId));
  pending.set(
    sessionId,
    setTimeout(() => void carryOutDelete(sessionId), undoMs),
  );
}

export function undoDelete(sessionId: string): void {
  clearTimeout(pending.get(sessionId));
  pending.delete(sessionId);
  unhide(sessionId);
}

function unhide(sessionId: string): void {
  deletedSessions.set((deleted) => new Set([...deleted].filter((id) => id !== sessionId)));
}

async function carryOutDelete(sessionId: string, isLeaving = false): Promise<void> {
  pending.delete(sessionId);
  try {
    await client.sessions.delete(sessionId, { keepalive: isLeaving });
    tellTabs(sessionId);
    await refreshSessions();
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) notifyError(error);
  }
  unhide(sessionId);
}

/** Nobody can undo any more when the page is left. */
window.addEventListener("pagehide", () => {
  for (const [sessionId, timer] of pending) {
    clearTimeout(timer);
    void carryOutDelete(sessionId, true);
  }
});
