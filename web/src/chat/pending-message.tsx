import { composerText } from "../state/composer.ts";
import { removeOutgoing, type Outgoing } from "../state/outbox.ts";
import { sendAgain } from "../state/send.ts";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";

/** A message that the service has not confirmed. */
export function PendingMessage({ entry }: { readonly entry: Outgoing }) {
  const texts = useTexts();
  const discard = () => removeOutgoing(entry.key);
  return (
    <article className="message user pending" id={`pending-${entry.key}`} aria-label={texts.you}>
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
              composerText.set(entry.text);
              discard();
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
