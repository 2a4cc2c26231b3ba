import { messagesOf, tag, withoutReply } from "./messages.ts";
import type { Telling } from "./telling.ts";

type Kind = "text" | "reasoning";

/** Ends what is being written. */
export function close(run: Telling): void {
  const { open, content, reasoning, items } = run.state;
  if (open === null) return;
  const { kind, id, from, member } = open;
  const text = (kind === "text" ? content : reasoning).slice(from);
  run.set({ open: null, items: [...items.filter((item) => item.id !== id), { kind, id, text }] });
  if (kind === "text") run.emit("TEXT_MESSAGE_END", { messageId: id });
  else {
    run.emit("REASONING_MESSAGE_END", { messageId: id, ...tag(member) });
    run.emit("REASONING_END", { messageId: id, ...tag(member) });
  }
}

function begin(run: Telling, kind: Kind, member: string | null): void {
  if (run.state.open?.kind === kind && run.state.open.member === member) return;
  close(run);
  const { messageId } = run.options;
  const { counts, content, reasoning } = run.state;
  const count = counts[kind];
  const name = kind === "text" ? messageId : `${messageId}_reasoning`;
  const id = count === 0 ? name : `${name}_${count}`;
  const from = (kind === "text" ? content : reasoning).length;
  run.set({ open: { kind, id, from, member }, counts: { ...counts, [kind]: count + 1 } });
  if (kind === "text") run.emit("TEXT_MESSAGE_START", { messageId: id, role: "assistant" });
  else {
    run.emit("REASONING_START", { messageId: id, ...tag(member) });
    run.emit("REASONING_MESSAGE_START", { messageId: id, role: "reasoning", ...tag(member) });
  }
}

export function write(run: Telling, kind: Kind, delta: string, member: string | null = null): void {
  if (delta === "") return;
  begin(run, kind, member);
  const messageId = run.state.open?.id;
  if (kind === "text") {
    run.set({ content: run.state.content + delta });
    run.emit("TEXT_MESSAGE_CONTENT", { messageId, delta });
  } else {
    run.set({ reasoning: run.state.reasoning + delta });
    run.emit("REASONING_MESSAGE_CONTENT", { messageId, delta, ...tag(member) });
  }
}

/** What a text has beside what was told of it; of another text nothing. */
export function writeRest(run: Telling, kind: Kind, text: string): void {
  const told = kind === "text" ? run.state.content : run.state.reasoning;
  if (text.startsWith(told)) write(run, kind, text.slice(told.length));
}

/** The text is this now: what was shown goes on, or was wrong. */
export function become(run: Telling, content: string): void {
  if (content.startsWith(run.state.content)) {
    writeRest(run, "text", content);
    return;
  }
  close(run);
  const { messageId, held = null } = run.options;
  const last = run.state.items.at(-1);
  // What calls hang on stays, without its words.
  run.set({ content: "", items: run.state.items.filter(({ kind }) => kind !== "text") });
  if (held === null) {
    // Nobody can say what else the client has, and what it is not told of would be gone.
    write(run, "text", content);
    return;
  }
  const { counts } = run.state;
  const isLast = last?.kind === "text";
  const id = isLast ? last.id : counts.text === 0 ? messageId : `${messageId}_${counts.text}`;
  if (!isLast) run.set({ counts: { ...counts, text: counts.text + 1 } });
  run.set({ content, items: [...run.state.items, { kind: "text", id, text: content }] });
  run.emit("MESSAGES_SNAPSHOT", {
    messages: [...withoutReply(held, messageId), ...messagesOf(run.state)],
  });
  run.set({ open: { kind: "text", id, from: 0, member: null } });
  run.emit("TEXT_MESSAGE_START", { messageId: id, role: "assistant" });
}
