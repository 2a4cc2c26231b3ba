import type { Agent, Requirement } from "../api/types.ts";
import type { MessageView } from "../state/reply-view.ts";
import type { Texts } from "../text/en.ts";

/** How what a paused reply asks is answered by a message; null where it is not. */
export function answerHint(
  messages: readonly MessageView[],
  agents: readonly Agent[],
  { answerHint: texts }: Texts,
): string | null {
  const asked = messages.findLast(({ status }) => status === "paused");
  const agent = agents.find(({ agent_id: id }) => id === asked?.agent_id);
  const [first, ...more] = asked?.requirements ?? [];
  if (first === undefined || agent?.answers_in_words !== true) return null;
  if ([first, ...more].some(({ kind }) => kind === "external")) return null;
  if (more.length > 0) return texts.several;
  if (first.kind === "confirm") return texts.confirm;
  return fieldsOf(first) > 1 ? texts.values : texts.value;
}

function fieldsOf({ arguments: { fields } }: Requirement): number {
  return Array.isArray(fields) ? fields.length : 0;
}
