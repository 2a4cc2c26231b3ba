import { composerText } from "../state/composer.ts";
import { attachFiles } from "../state/draft-files.ts";
import { readFiles } from "../state/kept-files.ts";
import { outgoingFiles, removeOutgoing, type Outgoing } from "../state/outbox.ts";
import { sendAgain } from "../state/send.ts";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";
import { FileCard } from "./attachments.tsx";

/** A message that the service has not confirmed. */
export function PendingMessage({ entry }: { readonly entry: Outgoing }) {
  const texts = useTexts();
  const discard = () => removeOutgoing(entry.key);
  return (
    <article className="message user pending" id={`pending-${entry.key}`} aria-label={texts.you}>
      {entry.files.length > 0 && (
        <ul className="files" aria-label={texts.files.label}>
          {entry.files.map(({ name, size }, index) => (
            // oxlint-disable-next-line react/no-array-index-key -- they do not change
            <li key={index}>
              <FileCard name={name} size={size} />
            </li>
          ))}
        </ul>
      )}
      <div className="bubble" dir="auto">
        {entry.text}
      </div>
      {entry.state === "sending" && <p className="message-note">{texts.sending}</p>}
      {entry.state === "waiting" && (
        <p className="message-note">
          <Icon name="clock" size={15} />
          <span>{entry.error ?? texts.waitingToSend}</span>
          <button type="button" className="link-button" onClick={discard}>
            {texts.discard}
          </button>
        </p>
      )}
      {entry.state === "refused" && (
        <p className="message-note bad" role="alert">
          <Icon name="alert" size={15} />
          <span>{entry.error ?? texts.notSent}</span>
          <button type="button" className="link-button" onClick={() => sendAgain(entry)}>
            {texts.sendAgain}
          </button>
          <button
            type="button"
            className="link-button"
            onClick={() => {
              void readFiles(outgoingFiles(entry.key)).then((files) => {
                composerText.set(entry.text);
                if (files.length > 0) attachFiles(files);
                discard();
              });
            }}
          >
            {texts.edit}
          </button>
          <button type="button" className="link-button" onClick={discard}>
            {texts.discard}
          </button>
        </p>
      )}
    </article>
  );
}
