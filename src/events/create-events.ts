import { createHash } from "node:crypto";
import type { Config } from "../config/settings.ts";
import type { Database } from "../database/database.ts";
import { createOutbox } from "../database/outbox.ts";
import type { Logger } from "../telemetry/logger.ts";
import { ignoreEvent, type RecordEvent } from "./business-event.ts";
import { createEventDispatcher, type EventDispatcher } from "./event-dispatcher.ts";
import { createWebhook } from "./webhook.ts";

export interface Events {
  /** What features call in their own transactions. */
  readonly record: RecordEvent;
  /** One for each receiver: one that is away holds up none of the others. */
  readonly dispatchers: readonly EventDispatcher[];
}

interface Receiver {
  /** Names it in the outbox, on every node and after every restart. */
  readonly key: string;
  readonly name: string;
  readonly url: string;
  readonly secret: string | null;
  /** Null: all. */
  readonly types: readonly string[] | null;
}

export function createEvents(
  { events }: Pick<Config, "events">,
  { database, log }: { readonly database: Database; readonly log: Logger },
): Events {
  const receivers = receiversOf(events);
  for (const { name, secret } of receivers) {
    if (secret !== null) continue;
    log.warn(
      {},
      `${name} has no secret (events.secret): it cannot tell our events from forged ones`,
    );
  }
  if (receivers.length === 0) return { record: ignoreEvent, dispatchers: [] };
  const keys = receivers.map(({ key }) => key);
  const outbox = createOutbox("outbox");
  return {
    async record(tx, event) {
      const wanted = receivers.filter(({ types }) => types?.includes(event.type) ?? true);
      if (wanted.length > 0)
        await outbox.insertFor(
          tx,
          event,
          wanted.map(({ key }) => key),
        );
    },
    dispatchers: receivers.map(({ key, name, url, secret }) =>
      createEventDispatcher({
        database,
        outbox: createOutbox("outbox", { mine: key, known: keys }),
        webhook: createWebhook({ url, secret }),
        name,
        log,
      }),
    ),
  };
}

function receiversOf({ url, secret, receivers }: Config["events"]): readonly Receiver[] {
  const name = "the receiver of events";
  const first = url === null ? [] : [{ key: "", name, url, secret, types: null }];
  return [
    ...first,
    ...receivers.map((receiver) => ({
      // The address may hold a token, and the table is read by people.
      key: createHash("sha256").update(receiver.url).digest("hex").slice(0, 16),
      name: `${name} at ${URL.parse(receiver.url)?.host ?? "?"}`,
      url: receiver.url,
      secret: receiver.secret ?? null,
      types: receiver.events ?? null,
    })),
  ];
}
