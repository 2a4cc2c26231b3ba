import { useState } from "react";
import { deleteMessage } from "../state/marks.ts";
import type { MessageView } from "../state/reply-view.ts";
import { useTexts } from "../text/use-texts.ts";
import { Dialog } from "../ui/dialog.tsx";
import { IconButton } from "../ui/icon-button.tsx";

/** A button that deletes a message and what follows it, when that is confirmed. */
export function DeleteMessage({ message }: { readonly message: MessageView }) {
  const texts = useTexts();
  const [isAsking, setAsking] = useState(false);
  const close = () => setAsking(false);
  return (
    <>
      <IconButton
        icon="trash"
        size={17}
        label={texts.deletion.label}
        aria-haspopup="dialog"
        onClick={() => setAsking(true)}
      />
      {isAsking && (
        <Dialog title={texts.deletion.title} onClose={close}>
          <form
            className="settings-form"
            onSubmit={(event) => {
              event.preventDefault();
              close();
              void deleteMessage(message);
            }}
          >
            <p>{texts.deletion.warning}</p>
            <div className="form-buttons">
              <button
                type="button"
                className="secondary"
                // Whichever element has it, the dialog gives the focus to.
                ref={(button) => button?.setAttribute("autofocus", "")}
                onClick={close}
              >
                {texts.cancel}
              </button>
              <button type="submit" className="primary dangerous">
                {texts.delete}
              </button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}
