import type { AgentEvent } from "../../agent-backend.ts";
import { createTextTrace, type TextMark } from "./text-trace.ts";

/** The text of a reply as it grows: what is said is what the reply will hold. */
export interface ReplyText {
  readonly length: number;
  say(piece: string, into: AgentEvent[]): void;
  /** The run is tried again from its start: what was said is void. */
  startOver(into: AgentEvent[]): void;
  /** The whole answer is known: says what is missing, or replaces what was said when it was something else. */
  sayWhole(content: unknown, into: AgentEvent[]): void;
  marks(): { readonly text: TextMark; readonly leg: TextMark | null };
}

export function createReplyText(
  start: { readonly text: TextMark; readonly leg: TextMark | null } | undefined,
  newLeg: boolean,
): ReplyText {
  const text = createTextTrace(start?.text);
  // After a pause some servers end with the text of the continuation alone.
  let leg = start?.leg ? createTextTrace(start.leg) : null;
  if (newLeg && text.length > 0) leg = createTextTrace();

  function say(piece: string, into: AgentEvent[]): void {
    if (piece === "") return;
    text.append(piece);
    leg?.append(piece);
    into.push({ type: "text", text: piece });
  }

  return {
    get length() {
      return text.length;
    },
    say,
    startOver(into) {
      if (text.length === 0) return;
      text.reset();
      leg = null;
      into.push({ type: "replace", text: "" });
    },
    sayWhole(content, into) {
      const whole = contentText(content);
      if (whole === "") return;
      const rest = text.restOf(whole) ?? leg?.restOf(whole) ?? null;
      if (rest !== null) {
        say(rest, into);
        return;
      }
      text.reset();
      leg = null;
      text.append(whole);
      into.push({ type: "replace", text: whole });
    },
    marks: () => ({ text: text.mark(), leg: leg?.mark() ?? null }),
  };
}

/** Structured output becomes JSON. */
export function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  return content === undefined || content === null ? "" : JSON.stringify(content);
}
