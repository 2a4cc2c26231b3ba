import { expect, test } from "vitest";
import { checkHistory, type History, type StoredRow } from "./history.ts";

type Changed = { history: History; rows: StoredRow[] };

const event = (id: number, type: string, fields: object) => ({
  id,
  type,
  json: JSON.stringify({ type, message_id: "r1", timestamp: `t${id}`, ...fields }),
});

function sound(): Changed {
  const events = [
    event(1, "user_message", {}),
    event(2, "assistant_chunk", { chunk: "Hello " }),
    event(3, "assistant_chunk", { chunk: "you" }),
    event(4, "conversation_complete", { full_response: "Hello you" }),
  ];
  return {
    history: {
      sends: [
        { key: "a", sessionId: "s", text: "one", invokedMs: 0, acknowledgedMs: 10, replyId: "r1" },
        { key: "b", sessionId: "s", text: "two", invokedMs: 20, acknowledgedMs: 30, replyId: "r2" },
        {
          key: "c",
          sessionId: "s",
          text: "maybe",
          invokedMs: 40,
          acknowledgedMs: null,
          replyId: null,
        },
      ],
      views: [
        { replyId: "r1", events },
        {
          replyId: "r1",
          events: [event(2, "snapshot", { content: "Hello " }), ...events.slice(2)],
        },
      ],
    },
    rows: [
      { sessionId: "s", messageId: "u1", seq: 1, role: "user", status: "complete", content: "one" },
      {
        sessionId: "s",
        messageId: "r1",
        seq: 2,
        role: "assistant",
        status: "complete",
        content: "Hello you",
      },
      { sessionId: "s", messageId: "u2", seq: 3, role: "user", status: "complete", content: "two" },
      {
        sessionId: "s",
        messageId: "r2",
        seq: 4,
        role: "assistant",
        status: "interrupted",
        content: "",
      },
    ],
  };
}

test("a history that can be true has no faults", () => {
  const { history, rows } = sound();
  expect(checkHistory(history, rows)).toEqual([]);
});

const events = (change: (list: ReturnType<typeof event>[]) => void) => (changed: Changed) => {
  const [view] = changed.history.views;
  change(view?.events as ReturnType<typeof event>[]);
};
const row = (index: number, change: Partial<StoredRow>) => (changed: Changed) => {
  changed.rows[index] = { ...(changed.rows[index] as StoredRow), ...change };
};

const broken: [string, (changed: Changed) => void, RegExp][] = [
  ["an acknowledged message is lost", ({ rows }) => rows.splice(2, 2), /acknowledged and is lost/],
  ["an acknowledged reply is lost", row(3, { messageId: "other" }), /reply r2 .* lost/],
  ["a message is stored twice", row(2, { content: "one" }), /stored 2 times/],
  ["a message comes from nobody", row(2, { content: "ghost" }), /sent by nobody/],
  ["a number is missing", row(3, { seq: 9 }), /gap or a double/],
  ["a number is there twice", row(3, { seq: 3 }), /gap or a double/],
  [
    "messages change places",
    (changed) => {
      row(0, { content: "two" })(changed);
      row(2, { content: "one" })(changed);
    },
    /stands after it/,
  ],
  ["a reply never ends", row(3, { status: "streaming" }), /never ended/],
  ["a waiting reply is forgotten", row(3, { status: "queued" }), /never ended/],
  ["an event is lost", events((list) => list.splice(1, 1)), /event 3 follows event 1/],
  [
    "an event comes twice",
    events((list) => list.splice(1, 0, list[1] as never)),
    /event 2 after event 2/,
  ],
  [
    "events change places",
    events((list) => list.splice(1, 2, list[2] as never, list[1] as never)),
    /event 2 after event 3/,
  ],
  [
    "there are two ends",
    events((list) => list.push(event(5, "error", { full_response: "Hello you" }))),
    /after its end/,
  ],
  ["no end is seen", events((list) => list.pop()), /no end was seen/],
  ["the end differs from the stored one", row(1, { status: "failed" }), /stored as failed/],
  [
    "the text differs from the stored one",
    row(1, { content: "Hello me" }),
    /other ones are stored|another text/,
  ],
  [
    "the end tells another text",
    events((list) =>
      list.splice(3, 1, event(4, "conversation_complete", { full_response: "Hello" })),
    ),
    /tells another text/,
  ],
  [
    "two viewers see different events",
    events((list) => list.splice(2, 1, event(3, "assistant_chunk", { chunk: "YOU" }))),
    /event 3 was seen as/,
  ],
  [
    "somebody else's event comes along",
    events((list) =>
      list.splice(1, 1, event(2, "assistant_chunk", { chunk: "Hello ", message_id: "r2" })),
    ),
    /belongs to r2/,
  ],
  [
    "an event comes after a snapshot that covers it",
    ({ history }) => {
      const [, view] = history.views as [unknown, { events: unknown[] }];
      view.events.splice(0, 1, event(3, "snapshot", { content: "x" }));
    },
    /event 3 after event 3/,
  ],
];

test.each(broken)("the checker notices when %s", (_, breakIt, expected) => {
  const changed = sound();
  breakIt(changed);
  expect(checkHistory(changed.history, changed.rows).join("\n")).toMatch(expected);
});
