import type { HistoryMessage } from "../../agent-backend.ts";

/** Whether the sessions of another agent are where those of the one addressed are. */
export type Place = "same" | "other" | "unclear";

/** What of a conversation goes along with a new message, for an agent that may remember some of it by itself. */
export interface Recall {
  /** So many of the last messages are told with the new one. */
  readonly told: number;
  /** How many runs AgentOS shows its model before that; null: it has to keep them back. */
  readonly shown: number | null;
}

/**
 * AgentOS shows the model the last `runs` whole runs of its session, each with what it was told then. Where these, one
 * after the other, are the conversation up to some message, in order and once, only the rest is told. Where they are
 * not, because older ones have fallen out or something would stand there twice, everything is told and AgentOS keeps
 * its own back. `history`: oldest first, as much of it as may be told.
 */
export function recall(
  history: readonly HistoryMessage[],
  runs: number,
  placeOf: (agentId: string) => Place,
): Recall {
  const everything = { told: history.length, shown: null };
  /** First and last message that a run stands for. */
  const known: { readonly first: number; readonly last: number }[] = [];
  for (const [index, { own }] of history.entries()) {
    const place = own === undefined ? "other" : placeOf(own.agentId);
    if (own === undefined || place === "other") continue;
    // AgentOS may have it whole, or not at all.
    if (place === "unclear" || own.status === "interrupted") return everything;
    // It shows nothing of those that were stopped.
    if (own.status === "complete") known.push({ first: index - 1 - own.told, last: index });
  }
  if (known.length === 0) return { told: history.length, shown: 0 };
  const shown = runs === 0 ? [] : known.slice(-runs);
  const isWhole = shown.every(({ first }, index) => {
    const before = shown[index - 1];
    return before === undefined ? first <= 0 : first === before.last + 1;
  });
  const last = shown.at(-1)?.last;
  if (!isWhole || last === undefined) return everything;
  return { told: history.length - 1 - last, shown: shown.length };
}
