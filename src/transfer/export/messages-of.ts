import type { MessageStore, StoredMessage } from "../../chat/message-store.ts";
import type { FoundSession } from "../../sessions/session-store.ts";
import type { Ranges } from "../../tree/ranges.ts";

const pageLimit = 200;

/** The messages of a path in their order, a page of bounded size at a time. */
export async function* messagesOf(
  store: Pick<MessageStore, "history">,
  session: Pick<FoundSession, "sessionId" | "tree">,
  path: Ranges,
): AsyncGenerator<StoredMessage> {
  for (let after: number | null = 0; after !== null;) {
    const range = { kind: "after", seq: after } as const;
    const page = await store.history(session, path, {}, range, pageLimit);
    yield* page.messages;
    after = page.hasMore ? page.last : null;
  }
}
