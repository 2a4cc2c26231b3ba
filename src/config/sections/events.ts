import { isText, listOf, optional, required, words } from "../list-of.ts";
import { webUrl } from "../rules.ts";
import { json, secret, text, type Sections } from "../setting.ts";

/** Who is told of what happens, as written in `events.receivers`. */
export interface EventReceiver {
  readonly url: string;
  readonly secret?: string;
  /** Types of events; absent: all. */
  readonly events?: readonly string[];
}

/** What `events` of a receiver may hold: the types of `src/events/business-event.ts`. */
const eventTypes: readonly string[] = [
  "chat_session.created",
  "chat_message.processed",
  "chat_message.failed",
  "chat_message.cancelled",
  "chat_message.interrupted",
  "chat_message.paused",
  "budget.warning",
];

/** Who is told of what happens. */
export const eventSettings = {
  events: {
    url: text("Where business events are posted (webhook)", null, { rule: webUrl }),
    secret: secret("Key of the HMAC-SHA256 signature"),
    receivers: json<readonly EventReceiver[]>(
      "Further receivers: url, secret, events (types of events; absent: all)",
      [],
      listOf(
        "receivers",
        {
          url: required(webUrl.words, (value) => isText(value) && webUrl.holds(String(value))),
          secret: words,
          events: optional(
            `a list of ${eventTypes.join(", ")}`,
            (value) =>
              Array.isArray(value) &&
              value.length > 0 &&
              value.every((each) => eventTypes.includes(each)),
          ),
        },
        ["url"],
      ),
      {
        secretMembers: ["secret"],
        example: [
          {
            url: "https://example.com/hooks/alerts",
            secret: "a-long-random-text",
            events: ["chat_message.failed"],
          },
        ],
      },
    ),
  },
} as const satisfies Sections;
