import { markOf, ownerPrefix, termsAtOnce } from "./terms.ts";

/** A message, or (without a number) the title of a session. */
export interface Entry {
  readonly sessionId: string;
  readonly seq: number | null;
  readonly userId: string;
  readonly role: string;
  readonly agentId: string;
}

/** What an entry is found by: the terms of its text, and marks of what it belongs to. */
export function termsOfEntry(entry: Entry, terms: readonly string[]): string[] {
  const prefix = ownerPrefix(entry.userId);
  return [...marksOf(entry), ...terms].map((term) => prefix + term);
}

function marksOf({ sessionId, seq, role, agentId }: Entry): string[] {
  const ofSession = markOf("session", sessionId);
  return seq === null ? [ofSession] : [ofSession, markOf("role", role), markOf("agent", agentId)];
}

/** For `madeSearchable`; null: a trigger notes the text down, and its entry is made behind it. */
export function termsAtHand(entry: Omit<Entry, "seq">, text: string): string[] | null {
  if (text === "") return null;
  try {
    const terms = termsAtOnce(text);
    return terms && termsOfEntry({ ...entry, seq: 0 }, terms);
  } catch {
    // Nobody goes without an answer because of it.
    return null;
  }
}

/**
 * Makes a text searchable in the statement that stores it, which costs less than noting it down and coming back. `stored`
 * has a row of it (`session_id`, `seq`, `user_id`, `created_at`, and `terms`: those of `termsAtHand`) if there is anything to
 * be found. Only for a text of which no note can be under way, whose entry would come behind this one. Where there is an
 * entry already a note is left: of this one the trigger learns by the setting.
 */
export const madeSearchable = (stored: string): string => `
  INSERT INTO message_search (session_id, seq, user_id, created_at, version, terms)
  SELECT session_id, seq, user_id, created_at, 0, array_to_tsvector(terms) FROM ${stored}
  ON CONFLICT (session_id, seq) DO NOTHING
  RETURNING set_config('chat.searchable', session_id || ' ' || seq, true)`;
