import fc from "fast-check";
import { expect, it } from "vitest";
import type { AgentEvent } from "../../agents/agent-backend.ts";
import { skipText } from "./skip-text.ts";

type TextEvent = Extract<AgentEvent, { type: "text" | "replace" }>;

const say = (text: string): TextEvent => ({ type: "text", text });
const replace = (text: string): TextEvent => ({ type: "replace", text });

function applied(events: readonly AgentEvent[], before = ""): string {
  let content = before;
  for (const event of events) {
    if (event.type === "text") content += event.text;
    if (event.type === "replace") content = event.text;
  }
  return content;
}

async function* generated(events: readonly AgentEvent[]): AsyncGenerator<AgentEvent, void, void> {
  yield* events;
}

/** A run whose state was taken after `state` events and whose process died after `died` events. */
async function takenUp(events: readonly TextEvent[], state: number, died: number) {
  const content = applied(events.slice(0, died));
  const stateLength = applied(events.slice(0, state)).length;
  const rest: AgentEvent[] = [];
  const again = generated(events.slice(state));
  for await (const event of skipText(again, { content, stateLength })) rest.push(event);
  return { rest, result: applied(rest, content) };
}

it("loses and doubles nothing, wherever the state was taken and the process died", async () => {
  const texts = fc.array(fc.string({ maxLength: 5 }).map(say), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(texts, fc.nat(20), fc.nat(20), async (events, one, other) => {
      const died = Math.min(Math.max(one, other), events.length);
      const state = Math.min(one, other, died);
      const { rest, result } = await takenUp(events, state, died);
      expect(result).toBe(applied(events));
      // Nothing that viewers have is said again.
      expect(applied(rest)).toBe(applied(events.slice(died)));
    }),
  );
});

it("gets over a text that was replaced after the state", async () => {
  const events = [
    say("I cann"),
    say("ot do"),
    say(" this"),
    replace("Here "),
    say("it "),
    say("is"),
  ];
  for (let state = 0; state <= events.length; state += 1) {
    for (let died = state; died <= events.length; died += 1) {
      expect((await takenUp(events, state, died)).result).toBe("Here it is");
    }
  }
});

it("leaves other events alone", async () => {
  const events: AgentEvent[] = [
    { type: "reasoning", text: "hm" },
    say("abc"),
    { type: "finish", reason: "stop" },
  ];
  const seen: AgentEvent[] = [];
  const skipped = skipText(generated(events), { content: "xxabc", stateLength: 2 });
  for await (const event of skipped) seen.push(event);
  expect(seen).toEqual([events[0], events[2]]);
});

it("takes what a run replaces its text by this time, when that is not what was delivered", async () => {
  const again = generated([say("Hel"), replace("Good "), say("day")]);
  const seen: AgentEvent[] = [];
  for await (const event of skipText(again, { content: "Hello there", stateLength: 0 })) {
    seen.push(event);
  }
  expect(applied(seen, "Hello there")).toBe("Good day");
});
