import { client } from "../api/client.ts";
import type { Message, SessionInfo } from "../api/types.ts";

const pageSize = 50;

/** The messages around one, and whether there are others before and after them. */
export async function loadAround(sessionId: string, messageId: string, signal: AbortSignal) {
  const page = await client.messages.history(
    sessionId,
    { around: messageId, limit: pageSize },
    { signal },
  );
  const first = page.messages[0];
  const older =
    first === undefined
      ? null
      : await client.messages.history(
          sessionId,
          { before: first.message_id, limit: 1 },
          { signal },
        );
  return {
    session: page.session_info,
    messages: page.messages,
    hasOlder: (older?.messages.length ?? 0) > 0,
    hasNewer: page.pagination.has_more,
  };
}

/** The newest messages and how many there are before them. */
export async function loadTail(session: SessionInfo, signal: AbortSignal) {
  const offset = Math.max(0, session.message_count - pageSize);
  const messages: Message[] = [];
  for (let more = true; more;) {
    const page = await client.messages.history(
      session.session_id,
      { offset: offset + messages.length, limit: pageSize },
      { signal },
    );
    messages.push(...page.messages);
    more = page.pagination.has_more && page.messages.length > 0;
  }
  return { messages, offset };
}

/** The page before or after a message, and whether there are more beyond it. */
export async function loadBeside(
  sessionId: string,
  place: { readonly before: string } | { readonly after: string },
  signal: AbortSignal,
) {
  const page = await client.messages.history(sessionId, { ...place, limit: pageSize }, { signal });
  return { messages: page.messages, hasMore: page.pagination.has_more };
}
