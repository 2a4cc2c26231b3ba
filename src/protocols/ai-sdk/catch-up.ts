import type { ReplyEvent } from "../../replies/reply-event.ts";
import type { ChatOptions } from "./chat-state.ts";
import type { MessageWriter } from "./message-writer.ts";
import {
  audioChunk,
  customChunk,
  fileChunk,
  sourceChunk,
  steeredChunk,
  suggestionsChunk,
  tasksChunk,
} from "./parts.ts";

/** The log begins here: what is before it comes from the reply's row, as far as the client has not seen it. */
export function catchUp(
  w: MessageWriter,
  event: Extract<ReplyEvent, { type: "snapshot" }>,
  options: Pick<ChatOptions, "shown" | "stored">,
): void {
  const isFirst =
    w.state.content === "" &&
    w.state.reasoning === "" &&
    w.state.calls.every(({ isClients, isApproved }) => isClients || isApproved !== undefined);
  const { shown = "", stored } = options;
  const { reasoning = "" } = event;
  const isBehind = isFirst && w.isShown && shown !== "";
  if (isBehind) {
    // The text before the pause has a message already; its thinking was shown with it.
    w.set({ content: shown, reasoning, settled: shown.length });
  } else if (reasoning.startsWith(w.state.reasoning)) {
    w.think(reasoning.slice(w.state.reasoning.length));
  }
  if (isFirst && !isBehind) {
    for (const [index, call] of (stored?.toolCalls ?? []).entries()) {
      w.tool(call, call.tool_call_id ?? `stored_${index}`);
    }
  }
  w.become(event.content);
  if (isFirst && !isBehind) {
    for (const [index, media] of (stored?.media ?? []).entries()) {
      w.add(fileChunk(media, index));
    }
    if (stored?.audio?.url !== undefined) w.add(audioChunk(stored.audio));
  }
  for (const source of (event.sources ?? []).slice(w.state.counts.sources)) {
    w.count("sources");
    w.add(sourceChunk(source, w.state.counts.sources));
  }
  const { suggestions, tasks } = event;
  if (suggestions !== undefined) w.add(suggestionsChunk(suggestions));
  if (tasks !== undefined) w.add(tasksChunk(tasks));
  for (const custom of (event.custom_events ?? []).slice(w.state.counts.custom)) {
    w.count("custom");
    w.add(customChunk(custom, w.state.counts.custom));
  }
  for (const { message_id, text_start } of (event.steered ?? []).slice(w.state.counts.steered)) {
    w.count("steered");
    w.add(steeredChunk({ user_message_id: message_id, text_start }, w.state.counts.steered));
  }
}
