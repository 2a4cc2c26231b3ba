import { expect, test } from "vitest";
import { applyEvent, type MessageView } from "../../web/src/state/reply-view.ts";
import { partsOf, withTaken } from "../../web/src/state/taken-in.ts";

function message(id: string, changes: Partial<MessageView> = {}): MessageView {
  return {
    message_id: id,
    session_id: "s",
    role: "assistant",
    content: id,
    timestamp: "2026-01-01T00:00:00Z",
    agent_id: "a",
    status: "complete",
    metadata: {},
    ...changes,
  };
}
const said = message("said", { role: "user" });
const asked = message("asked", { role: "user" });
const at = (text_start: number) => ({ message_id: "said", text_start });

test("what was taken in stands in the reply's text, not beside it", () => {
  const reply = message("reply", { content: "before after", steered: [at(7)] });
  const drawn = withTaken([asked, said, reply]);
  expect(drawn.map((each) => each.message.message_id)).toEqual(["asked", "reply"]);
  expect(drawn[1]?.taken).toEqual([said]);
  expect(partsOf(reply, [said])).toEqual([
    { kind: "text", text: "before " },
    { kind: "message", message: said },
    { kind: "text", text: "after" },
  ]);
});

test("the reply that was to be made to it is not drawn; other waiting ones are", () => {
  const reply = message("reply", { status: "streaming", steered: [at(0)] });
  const own = message("own", { status: "queued", reply_to: "said" });
  const other = message("other", { status: "queued", reply_to: "asked" });
  const drawn = withTaken([asked, reply, said, own, other]);
  expect(drawn.map((each) => each.message.message_id)).toEqual(["asked", "reply", "other"]);
});

test("one that is not loaded leaves the text whole; a place beyond the text is its end", () => {
  const reply = message("reply", { content: "text", steered: [at(2)] });
  expect(partsOf(reply, [])).toEqual([{ kind: "text", text: "text" }]);
  expect(partsOf({ ...reply, steered: [at(9)] }, [said])).toEqual([
    { kind: "text", text: "text" },
    { kind: "message", message: said },
  ]);
  expect(partsOf(message("reply", { content: "" }), [])).toEqual([]);
});

test("an event says the same as the message, however often it is told", () => {
  const event = {
    type: "steered",
    session_id: "s",
    message_id: "reply",
    timestamp: "2026-01-01T00:00:00Z",
    user_message_id: "said",
    message: "said",
    text_start: 3,
  } as const;
  const running = message("reply", { status: "streaming" });
  const once = applyEvent(running, 4, event);
  expect(applyEvent(once, 5, event).steered).toEqual([at(3)]);
});
