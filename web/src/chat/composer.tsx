import {
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  type ClipboardEvent,
  type KeyboardEvent,
} from "react";
import { addressedAgent, agents, chosenAgent, serviceConfig } from "../state/catalogue.ts";
import { composerText } from "../state/composer.ts";
import { archiveSession } from "../state/sessions.ts";
import { conversation } from "../state/conversation.ts";
import { stopReply } from "../state/turns.ts";
import { syncConversation } from "../state/sync.ts";
import { newConfig } from "../state/conversation-config.ts";
import { notifyError } from "../state/notices.ts";
import {
  attachFiles,
  draftFiles,
  moveDraftFiles,
  openDraftFiles,
  takeDraftFiles,
} from "../state/draft-files.ts";
import { takesText } from "../state/attachable.ts";
import { isUnfinished } from "../state/reply-view.ts";
import { readSaved, writeSaved } from "../state/saved.ts";
import { sendMessage } from "../state/send.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { answerHint } from "./answer-hint.ts";
import { AttachButton, DraftFiles } from "./attach-button.tsx";
import { BusyPicker } from "./busy-picker.tsx";
import { ModelPicker } from "./model-picker.tsx";
import { VoiceControls } from "../voice/voice-controls.tsx";

const defaultMaxLength = 10_000;

/** Where messages are written. What is not sent yet is kept by the browser, for each conversation. */
export function Composer() {
  const texts = useTexts();
  const { sessionId, draftId, session, messages, state } = useStore(conversation);
  const config = useStore(serviceConfig);
  const agentList = useStore(agents);
  const starting = useStore(chosenAgent);
  const suggested = useStore(composerText);
  const files = useStore(draftFiles);
  const [text, setText] = useState("");
  const [isStopping, setStopping] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const place = `draft.${sessionId ?? "new"}`;

  const write = (value: string) => {
    // Another tab may be writing here too: what it has kept last is not this one's to remove.
    if (value !== "") writeSaved(place, value);
    else if (readSaved(place) === text) writeSaved(place, null);
    setText(value);
  };

  const lastSuggestion = useRef<string | null>(null);
  const shown = useRef<{ draftId: string; place: string } | null>(null);
  useEffect(() => {
    const before = shown.current;
    shown.current = { draftId, place };
    if (before?.draftId === draftId) {
      // The same conversation has got its session: what is being written moves with it.
      if (before.place !== place) {
        if (text !== "") {
          if (readSaved(before.place) === text) writeSaved(before.place, null);
          writeSaved(place, text);
        }
        moveDraftFiles(place);
      }
      return;
    }
    const draft = readSaved(place);
    setText(typeof draft === "string" ? draft : "");
    void openDraftFiles(place);
    if (matchMedia("(pointer: fine)").matches) area.current?.focus();
  }, [draftId, place]);
  useEffect(() => {
    if (suggested === null) return;
    const isFree = text.trim() === "" || text === lastSuggestion.current;
    write(isFree ? suggested.text : `${suggested.text}\n\n${text}`);
    if (suggested.isSuggestion) lastSuggestion.current = suggested.text;
    composerText.set(null);
    area.current?.focus();
  }, [suggested]);
  useLayoutEffect(() => {
    const element = area.current;
    if (element === null) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);

  const maxLength = config?.limits["max_message_length"] ?? defaultMaxLength;
  // As the service counts.
  const over = text.length - maxLength;
  const canSend = text.trim() !== "" && over <= 0 && state === "ready";
  const running = messages.find((message) => message.status === "streaming");

  const send = () => {
    if (!canSend) return;
    const taken = takeDraftFiles();
    if (taken === null) return;
    sendMessage(
      text.trim(),
      sessionId === null ? chosenAgent.get() || null : null,
      newConfig.get(),
      taken,
    );
    write("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // While characters are composed, Enter chooses among them (229: what Safari says then).
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    if (event.keyCode === 229) return;
    event.preventDefault();
    send();
  };
  const onPaste = (event: ClipboardEvent) => {
    const { files: pasted, types } = event.clipboardData;
    // Office programs add a picture of the text that is copied.
    if (pasted.length === 0 || types.includes("text/plain")) return;
    event.preventDefault();
    attachFiles([...pasted]);
  };
  const sendAsFile = () => {
    const before = draftFiles.get().length;
    attachFiles([new File([text], "message.txt", { type: "text/plain" })]);
    if (draftFiles.get().length > before) write("");
  };
  const stop = async (messageId: string) => {
    setStopping(true);
    await stopReply(messageId);
    setStopping(false);
  };

  const agent = addressedAgent(agentList, session, starting);
  const asked = answerHint(messages, agentList, texts);
  const hint =
    files.length > 0 && text.trim() === ""
      ? { kind: "wanted", text: texts.files.needsText }
      : asked === null
        ? { kind: "usual", text: texts.composerHint }
        : { kind: "wanted", text: asked };

  if (session?.status === "archived") {
    return (
      <div className="composer-frame">
        <div className="composer archived">
          <span>{texts.archivedHint}</span>
          <button
            type="button"
            className="secondary"
            onClick={() =>
              void archiveSession(session.session_id, false)
                .then(syncConversation)
                .catch(notifyError)
            }
          >
            {texts.unarchive}
          </button>
        </div>
      </div>
    );
  }
  return (
    <div className="composer-frame">
      <form
        className="composer"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <DraftFiles />
        <textarea
          ref={area}
          rows={1}
          dir="auto"
          value={text}
          aria-label={texts.messageLabel}
          aria-describedby="composer-hint"
          placeholder={texts.messagePlaceholder}
          onChange={(event) => write(event.target.value)}
          onKeyDown={onKeyDown}
          onPaste={onPaste}
        />
        <div className="composer-row">
          <ModelPicker />
          {messages.some(isUnfinished) && <BusyPicker />}
          <span id="composer-hint" className={`hint ${over > 0 ? "over" : hint.kind}`}>
            {over > 0 ? texts.tooLong(over) : hint.text}
            {over > 0 && takesText(agent) && (
              <button type="button" className="link-button" onClick={sendAsFile}>
                {texts.files.asFile}
              </button>
            )}
          </span>
          <span className="composer-buttons">
            <AttachButton agent={agent} />
            <VoiceControls />
            {running !== undefined && (
              <IconButton
                icon="stop"
                label={texts.stop}
                className="stop"
                disabled={isStopping}
                onClick={() => void stop(running.message_id)}
              />
            )}
            {(running === undefined || canSend) && (
              <IconButton
                icon="send"
                label={texts.send}
                type="submit"
                className="send"
                disabled={!canSend}
              />
            )}
          </span>
        </div>
      </form>
    </div>
  );
}
