import type { Config } from "../config/settings.ts";
import type { Database } from "../database/database.ts";
import { createOutbox } from "../database/outbox.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { RecordEvent } from "./business-event.ts";
import { createEventDispatcher, type EventDispatcher } from "./event-dispatcher.ts";
import { createWebhook } from "./webhook.ts";

export interface Events {
  /** What features call in their own transactions. */
  readonly record: RecordEvent;
  /** Null where no receiver is configured. */
  readonly dispatcher: EventDispatcher | null;
}

/** Where no receiver is configured. */
export const ignoreEvent: RecordEvent = async () => {};

export function createEvents(
  { events }: Pick<Config, "events">,
  { database, log }: { readonly database: Database; readonly log: Logger },
): Events {
  if (events.url === null) return { record: ignoreEvent, dispatcher: null };
  if (events.secret === null) {
    log.warn({}, "events.secret is not set: receivers cannot tell our events from forged ones");
  }
  const webhook = createWebhook({ url: events.url, secret: events.secret });
  const outbox = createOutbox("outbox");
  return {
    record: outbox.insert,
    dispatcher: createEventDispatcher({ database, outbox, webhook, log }),
  };
}
