import { conversation } from "../state/conversation.ts";
import { goTo } from "../state/navigation.ts";
import { notify } from "../state/notices.ts";
import { jumpToLatest } from "../state/open-conversation.ts";
import { deletedSessions, sessionList } from "../state/sessions.ts";
import { stopReply } from "../state/turns.ts";
import { currentTexts } from "../text/use-texts.ts";
import { copyText } from "../ui/copy-text.ts";
import { speaking, stopSpeaking } from "../voice/player.ts";
import { giveUpRecording, recorder } from "../voice/recorder.ts";
import { useShortcuts, type ShortcutActions } from "./shortcuts.ts";
import { walkMessages } from "./walk-messages.ts";

/** The keys of the conversation; `own`: of what the page alone can open, and what Escape closes before it stops anything. */
export function useChatShortcuts(own: ShortcutActions): void {
  useShortcuts({
    new: () => goTo(null),
    write: () => {
      const field = document.querySelector<HTMLTextAreaElement>(".composer textarea");
      field?.focus();
      return field !== null;
    },
    copy: copyLastReply,
    nextMessage: () => walkMessages(1),
    previousMessage: () => walkMessages(-1),
    latest: toLatest,
    nextConversation: () => walkConversations(1),
    previousConversation: () => walkConversations(-1),
    ...own,
    escape: () => own.escape?.() === true || stopSomething(),
  });
}

/** One thing at a time: what is being recorded, then what is being said, then what is being written. */
function stopSomething(): boolean {
  if (recorder.get().kind === "recording") giveUpRecording();
  else if (speaking.get() !== null) stopSpeaking();
  else {
    const running = conversation.get().messages.find(({ status }) => status === "streaming");
    if (running === undefined) return false;
    void stopReply(running.message_id);
  }
  return true;
}

function copyLastReply(): boolean {
  // Whoever has selected something copies that.
  const last = conversation.get().messages.findLast(({ role }) => role === "assistant");
  if (last === undefined || getSelection()?.isCollapsed === false) return false;
  const texts = currentTexts();
  copyText(last.content).then(
    () => notify({ kind: "info", text: texts.shortcuts.copied }),
    () => notify({ kind: "error", text: texts.copyFailed }),
  );
  return true;
}

function toLatest(): boolean {
  const frame = document.querySelector<HTMLElement>(".messages");
  if (frame === null) return false;
  if (conversation.get().hasNewer) void jumpToLatest();
  else frame.scrollTop = frame.scrollHeight;
  return true;
}

function walkConversations(by: 1 | -1): boolean {
  const gone = deletedSessions.get();
  const shown = sessionList.get().sessions.filter(({ session_id: id }) => !gone.has(id));
  const at = shown.findIndex(({ session_id: id }) => id === conversation.get().sessionId);
  const next = shown[at === -1 ? (by === 1 ? 0 : -1) : at + by];
  if (next === undefined) return false;
  goTo(next.session_id);
  return true;
}
