import fc from "fast-check";
import { expect, test } from "vitest";
import type { HistoryMessage, OwnReply } from "../../agent-backend.ts";
import { recall, type Place } from "./agent-memory.ts";

/** How a turn was made, as far as the agent that is addressed now is concerned. */
type Turn = "own" | "elsewhere" | "cancelled" | "failed";

/** What AgentOS has of a session: its runs, each with the messages that it was told and its own turn. */
interface Run {
  readonly messages: readonly number[];
  readonly isShown: boolean;
}

const placeOf = (agentId: string): Place =>
  agentId === "here" ? "same" : agentId === "there" ? "other" : "unclear";

/** Has a conversation turn by turn, as the service does; what the model gets at each turn made here. */
function converse(turns: readonly Turn[], window: number): { seen: number[]; path: number[] }[] {
  const history: HistoryMessage[] = [];
  const runs: Run[] = [];
  const asked: { seen: number[]; path: number[] }[] = [];
  let number = 0;
  for (const turn of turns) {
    const user = (number += 1);
    let own: OwnReply | undefined;
    if (turn !== "elsewhere") {
      const plan = recall(history, window, placeOf);
      const told = plan.told === 0 ? [] : history.slice(-plan.told).map(({ seq = 0 }) => seq);
      const shown =
        plan.shown === null || window === 0 ? [] : runs.filter((run) => run.isShown).slice(-window);
      asked.push({
        seen: [...shown.flatMap(({ messages }) => messages), ...told],
        path: history.map(({ seq = 0 }) => seq),
      });
      runs.push({ messages: [...told, user, user + 1], isShown: turn === "own" });
      const status = turn === "own" ? "complete" : "cancelled";
      own = turn === "failed" ? undefined : { agentId: "here", status, told: told.length };
    }
    number += 1;
    history.push({ role: "user", content: "?", agentId: null, seq: user });
    // Failed replies are no part of a history.
    if (turn !== "failed")
      history.push({
        role: "assistant",
        content: "!",
        agentId: "x",
        seq: number,
        ...(own && { own }),
      });
  }
  return asked;
}

test("whatever was said, where and with which end: the model gets the conversation in order, each message once", () => {
  const turn = fc.constantFrom<Turn>("own", "own", "own", "elsewhere", "cancelled", "failed");
  fc.assert(
    fc.property(
      fc.array(turn, { maxLength: 14 }),
      fc.constantFrom(0, 1, 2, 3, 5, 100),
      (turns, window) => {
        for (const { seen, path } of converse([...turns, "own"], window))
          expect(seen).toEqual(path);
      },
    ),
    { numRuns: 2_000 },
  );
});

const said = (...replies: readonly (Partial<OwnReply> | null)[]): HistoryMessage[] =>
  replies.flatMap((own): HistoryMessage[] => [
    { role: "user", content: "?", agentId: null },
    {
      role: "assistant",
      content: "!",
      agentId: "x",
      ...(own && { own: { agentId: "here", status: "complete", told: 0, ...own } }),
    },
  ]);

test.each([
  ["nothing was said", said(), 3, { told: 0, shown: 0 }],
  ["it remembers all", said({}, {}), 3, { told: 0, shown: 2 }],
  ["as many as it remembers", said({}, {}, {}), 3, { told: 0, shown: 3 }],
  ["one more than it remembers", said({}, {}, {}, {}), 3, { told: 8, shown: null }],
  ["it remembers nothing", said({}), 0, { told: 2, shown: null }],
  ["all was said elsewhere", said(null, null), 3, { told: 4, shown: 0 }],
  ["the last turns were elsewhere", said({}, null, null), 3, { told: 4, shown: 1 }],
  ["that was told", said({}, null, null, { told: 4 }), 3, { told: 0, shown: 2 }],
  ["it was stopped", said({}, { status: "cancelled" }), 3, { told: 2, shown: 1 }],
  ["it was cut off", said({}, { status: "interrupted" }), 3, { told: 4, shown: null }],
  ["something was told twice", said({}, { told: 2 }), 3, { told: 4, shown: null }],
  ["an agent that is gone", said({ agentId: "gone" }), 3, { told: 2, shown: null }],
  ["another place", said({ agentId: "there" }), 3, { told: 2, shown: 0 }],
])("%s", (_name, history, runs, expected) => {
  expect(recall(history, runs, placeOf)).toEqual(expected);
});
