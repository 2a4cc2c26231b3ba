import { useState } from "react";
import type { SessionInfo } from "../api/types.ts";
import { notifyError } from "../state/notices.ts";
import { tagSession } from "../state/sessions.ts";
import { useTexts } from "../text/use-texts.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icons.tsx";
import type { TakesText } from "../ui/on-demand.tsx";

const maxTags = 20;
const maxTagLength = 40;

interface SessionTagsProps extends TakesText {
  readonly session: SessionInfo;
  readonly onClose: () => void;
}

/** The tags of a conversation, to be added and taken away. */
export function SessionTags({ session, onClose, typed = "" }: SessionTagsProps) {
  const texts = useTexts();
  const [tags, setTags] = useState<readonly string[]>(session.tags);
  const [text, setText] = useState(typed);
  const withText = () => {
    const tag = text.trim();
    return tag === "" || tags.includes(tag) ? tags : [...tags, tag];
  };
  const add = () => {
    setTags(withText());
    setText("");
  };
  return (
    <Dialog title={texts.tags.title} onClose={onClose}>
      <form
        className="settings-form"
        onSubmit={(event) => {
          event.preventDefault();
          tagSession(session.session_id, withText()).then(onClose, notifyError);
        }}
      >
        {tags.length > 0 && (
          <ul className="chips">
            {tags.map((tag) => (
              <li key={tag}>
                <button
                  type="button"
                  className="chip"
                  aria-label={texts.tags.remove(tag)}
                  onClick={() => setTags(tags.filter((each) => each !== tag))}
                >
                  <span dir="auto">{tag}</span>
                  <Icon name="close" size={13} />
                </button>
              </li>
            ))}
          </ul>
        )}
        <input
          className="tag-field"
          dir="auto"
          value={text}
          maxLength={maxTagLength}
          disabled={tags.length >= maxTags}
          aria-label={texts.tags.add}
          placeholder={texts.tags.add}
          // Whichever element has it, the dialog gives the focus to.
          ref={(input) => input?.setAttribute("autofocus", "")}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.nativeEvent.isComposing || event.keyCode === 229) return;
            if (event.key !== "," && event.key !== "，" && event.key !== "Enter") return;
            // With nothing to add, Enter saves.
            if (event.key === "Enter" && text.trim() === "") return;
            event.preventDefault();
            add();
          }}
        />
        <div className="form-buttons">
          <button type="button" className="secondary" onClick={onClose}>
            {texts.cancel}
          </button>
          <button type="submit" className="primary">
            {texts.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
