import type { Pagination } from "./api-types.ts";
import type { Call, CallOptions } from "./transport.ts";

export interface KeyedOptions extends CallOptions {
  /** One of your own, where a request is to be recognised beyond this page or process. */
  readonly idempotencyKey?: string | undefined;
}

/** The same call however often it is sent. */
export function keyed(call: Call, { idempotencyKey }: KeyedOptions): Call {
  const key = idempotencyKey ?? newKey();
  return { ...call, headers: { ...call.headers, "Idempotency-Key": key } };
}

/** Browsers have `randomUUID` over HTTPS only. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

interface Page {
  readonly pagination: Pick<Pagination, "has_more" | "next_cursor">;
}

/** What is on all pages of a list. */
export async function* pages<P extends Page, Item>(
  load: (place: { readonly cursor?: string }) => Promise<P>,
  items: (page: P) => readonly Item[],
): AsyncGenerator<Item, void, void> {
  for (let place: { readonly cursor?: string } | null = {}; place !== null;) {
    const page: P = await load(place);
    yield* items(page);
    const { has_more: hasMore, next_cursor: cursor } = page.pagination;
    place = hasMore && cursor !== null && cursor !== undefined ? { cursor } : null;
  }
}
