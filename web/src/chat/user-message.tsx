import { memo } from "react";
import { edits, endEdit, writeEdit } from "../state/editing.ts";
import { language } from "../state/preferences.ts";
import type { MessageView } from "../state/reply-view.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { CopyButton } from "../ui/copy-button.tsx";
import { Attachments } from "./attachments.tsx";
import { IconButton } from "../ui/icon-button.tsx";
import { CopyLink } from "./copy-link.tsx";
import { DeleteMessage } from "./delete-message.tsx";
import { EditMessage } from "./edit-message.tsx";
import { Versions } from "./versions.tsx";
import { shortTime } from "./words.ts";

export const UserMessage = memo(({ message }: { readonly message: MessageView }) => {
  const texts = useTexts();
  const chosenLanguage = useStore(language);
  const { message_id: id, content } = message;
  const isEdited = useStore(edits)[id] !== undefined;
  return (
    <article
      className="message user"
      id={`message-${message.message_id}`}
      tabIndex={-1}
      aria-label={texts.hitBy[message.role]}
    >
      <Attachments files={message.attachments ?? []} />
      {isEdited ? (
        <EditMessage message={message} onEnd={() => endEdit(id)} />
      ) : (
        <div className="bubble" dir="auto">
          {message.content}
        </div>
      )}
      <div className="message-actions">
        <time dateTime={message.timestamp}>{shortTime(message.timestamp, chosenLanguage)}</time>
        <Versions message={message} />
        {!isEdited && (
          <IconButton
            icon="pencil"
            size={17}
            label={texts.editMessage}
            onClick={() => writeEdit(id, content)}
          />
        )}
        <CopyButton text={message.content} />
        <CopyLink message={message} />
        <DeleteMessage message={message} />
      </div>
    </article>
  );
});
