import { tag, type CallItem } from "./messages.ts";
import type { StoredCall, Telling } from "./telling.ts";
import { close } from "./text.ts";

/** What became of a call: it began, or it is over. */
export function tellCall(run: Telling, given: StoredCall, of: string, member: string | null): void {
  // Agents may use an id again.
  const named = run.state.items.filter((each) => each.kind === "call" && each.of === of);
  const last = named.at(-1);
  const isNew = last?.kind !== "call" || (last.hasEnded && given.status === "started");
  const item = isNew ? beginCall(run, given.name, of, named.length, member) : last;
  if (item.hasEnded) return;
  const args = given.arguments === undefined ? null : jsonText(given.arguments);
  const isOver = given.status !== "started";
  if (item.given === null && (args !== null || isOver)) endArguments(run, item, args ?? "{}");
  if (!isOver) return;
  const result = given.result === undefined ? "" : jsonText(given.result);
  endResult(run, item, result, given.status === "failed" ? { failed: true } : {});
}

function beginCall(
  run: Telling,
  name: string,
  of: string,
  before: number,
  member: string | null,
): CallItem {
  close(run);
  const id = `${run.options.messageId}_${of}${before > 0 ? `_${before + 1}` : ""}`;
  const said = run.state.items.findLast(({ kind }) => kind === "text")?.id ?? null;
  const parent = member === null ? said : null;
  const more = { given: null, result: null, hasEnded: false };
  const item: CallItem = { kind: "call", id, of, name, parent, member, ...more };
  run.set({ items: [...run.state.items, item] });
  run.emit("TOOL_CALL_START", {
    toolCallId: id,
    toolCallName: name,
    ...(parent !== null && { parentMessageId: parent }),
    ...tag(member),
  });
  return item;
}

function change(run: Telling, id: string, more: Partial<CallItem>): void {
  const items = run.state.items.map((item) =>
    item.kind === "call" && item.id === id ? { ...item, ...more } : item,
  );
  run.set({ items });
}

function endArguments(run: Telling, { id, member }: CallItem, given: string): void {
  run.emit("TOOL_CALL_ARGS", { toolCallId: id, delta: given, ...tag(member) });
  run.emit("TOOL_CALL_END", { toolCallId: id, ...tag(member) });
  change(run, id, { given });
}

function endResult(run: Telling, { id, member }: CallItem, content: string, note: object): void {
  change(run, id, { result: content, hasEnded: true });
  const result = { messageId: `${id}_result`, toolCallId: id, content, role: "tool" };
  run.emit("TOOL_CALL_RESULT", { ...result, ...tag(member) }, note);
}

/** Of a run that ends or is interrupted, those that are open. */
export function closeCalls(run: Telling, outcome: "success" | "suspended"): void {
  for (const item of run.state.items) {
    if (item.kind !== "call" || item.hasEnded) continue;
    if (item.given === null) {
      run.emit("TOOL_CALL_END", { toolCallId: item.id, ...tag(item.member) });
      change(run, item.id, { given: "" });
    }
    // Clients wait for an answer to each call.
    if (outcome === "success") endResult(run, item, "", { unfinished: true });
  }
}

function jsonText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}
