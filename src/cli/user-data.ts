import { ApiError } from "../../packages/client/src/index.ts";
import type { ServiceClient } from "./service-client.ts";

/** A session or a message as the service shows it. */
export type Item = Readonly<Record<string, unknown>>;

/** All sessions of a user, newest activity first. */
export function sessionsOf(client: ServiceClient, userId: string): AsyncIterable<Item> {
  return client.sessions.all({ user_id: userId });
}

/** All messages of a session, oldest first; none when it is gone meanwhile. */
export async function* messagesOf(
  client: ServiceClient,
  userId: string,
  sessionId: string,
): AsyncGenerator<Item> {
  try {
    yield* client.messages.all(sessionId, { user_id: userId, path: "all" });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
  }
}

/** False when it was gone already. */
export async function deleteSession(
  client: ServiceClient,
  userId: string,
  sessionId: string,
): Promise<boolean> {
  try {
    await client.request({
      method: "DELETE",
      path: `/sessions/${encodeURIComponent(sessionId)}`,
      query: { user_id: userId },
    });
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
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

export async function countOf(client: ServiceClient, userId: string): Promise<UserCounts> {
  const stats = await client.sessions.stats(userId);
  return {
    sessions: stats.total_sessions,
    messages: stats.total_messages,
    audio: stats.total_audio,
  };
}

/** Who gave the receipt. */
export async function serviceOf(
  client: ServiceClient,
): Promise<{ service: string; version: string }> {
  const { service, version } = await client.health();
  return { service, version };
}
