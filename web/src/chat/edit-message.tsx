import { useLayoutEffect, useRef, useState, type KeyboardEvent } from "react";
import { edit } from "../state/branches.ts";
import { edits, writeEdit } from "../state/editing.ts";
import type { MessageView } from "../state/reply-view.ts";
import { useStore } from "../state/store.ts";
import { amend, waits } from "../state/waiting.ts";
import { useTexts } from "../text/use-texts.ts";

/** A message of the user, to be said otherwise. */
export function EditMessage({
  message,
  onEnd,
}: {
  readonly message: MessageView;
  readonly onEnd: () => void;
}) {
  const texts = useTexts();
  const text = useStore(edits)[message.message_id] ?? message.content;
  const [isSending, setSending] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => area.current?.focus(), []);
  useLayoutEffect(() => {
    const element = area.current;
    if (element === null) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);

  const canSend = text.trim() !== "" && !isSending;
  const send = async () => {
    if (!canSend) return;
    setSending(true);
    const say = waits(message) ? amend : edit;
    if (await say(message, text.trim())) onEnd();
    else setSending(false);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // While characters are composed, keys are for that (229: what Safari says then).
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      // It stops no reply as well.
      event.preventDefault();
      onEnd();
    }
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    void send();
  };
  return (
    <form
      className="edit-message"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <textarea
        ref={area}
        rows={1}
        dir="auto"
        value={text}
        aria-label={texts.editMessage}
        onChange={(event) => writeEdit(message.message_id, event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="edit-actions">
        <button type="button" className="secondary" onClick={onEnd}>
          {texts.cancel}
        </button>
        <button type="submit" className="primary" disabled={!canSend}>
          {texts.send}
        </button>
      </div>
    </form>
  );
}
