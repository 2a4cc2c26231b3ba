import { ApiFault, type ApiClient } from "./api-client.ts";

/** A session or a message as the service shows it. */
export type Item = Readonly<Record<string, unknown>>;

interface Page {
  readonly pagination: { readonly has_more: boolean; readonly next_cursor: string | null };
}

/** All sessions of a user, newest activity first. */
export async function* sessionsOf(client: ApiClient, userId: string): AsyncGenerator<Item> {
  let cursor = "";
  do {
    const page = await client.call<Page & { sessions: readonly Item[] }>(
      "GET",
      `/sessions?user_id=${encodeURIComponent(userId)}&limit=100${cursor}`,
    );
    yield* page.sessions;
    cursor = next(page);
  } while (cursor !== "");
}

/** All messages of a session, oldest first; none when it is gone meanwhile. */
export async function* messagesOf(
  client: ApiClient,
  userId: string,
  sessionId: string,
): AsyncGenerator<Item> {
  let cursor = "";
  try {
    do {
      const page = await client.call<Page & { messages: readonly Item[] }>(
        "GET",
        `/chat/history/${sessionId}?user_id=${encodeURIComponent(userId)}&path=all&limit=200${cursor}`,
      );
      yield* page.messages;
      cursor = next(page);
    } while (cursor !== "");
  } catch (error) {
    if (!(error instanceof ApiFault) || error.status !== 404) throw error;
  }
}

/** False when it was gone already. */
export async function deleteSession(
  client: ApiClient,
  userId: string,
  sessionId: string,
): Promise<boolean> {
  try {
    await client.call("DELETE", `/sessions/${sessionId}?user_id=${encodeURIComponent(userId)}`);
    return true;
  } catch (error) {
    if (error instanceof ApiFault && error.status === 404) return false;
    throw error;
  }
}

/** What there is, counted by the service. */
export interface UserCounts {
  readonly sessions: number;
  readonly messages: number;
  /** Stored speech and recordings. */
  readonly audio: number;
}

export async function countOf(client: ApiClient, userId: string): Promise<UserCounts> {
  const stats = await client.call<{
    total_sessions: number;
    total_messages: number;
    total_audio: number;
  }>("GET", `/sessions/user/${encodeURIComponent(userId)}/stats`);
  return {
    sessions: stats.total_sessions,
    messages: stats.total_messages,
    audio: stats.total_audio,
  };
}

/** Who gave the receipt. */
export async function serviceOf(client: ApiClient): Promise<{ service: string; version: string }> {
  const { service, version } = await client.call<{ service: string; version: string }>(
    "GET",
    "/health",
  );
  return { service, version };
}

function next({ pagination }: Page): string {
  return pagination.has_more && pagination.next_cursor !== null
    ? `&cursor=${encodeURIComponent(pagination.next_cursor)}`
    : "";
}
