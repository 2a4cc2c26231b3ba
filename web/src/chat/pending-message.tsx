import { removeOutgoing, sentShares, type Outgoing } from "../state/outbox.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Countdown } from "../ui/countdown.tsx";
import { Icon } from "../ui/icons.tsx";
import { FileCard } from "./attachments.tsx";
import { Refusal, takeBack } from "./refusal.tsx";

/** A message that the service has not confirmed. */
export function PendingMessage({ entry }: { readonly entry: Outgoing }) {
  const texts = useTexts();
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
      {entry.state === "sending" && <Sending entry={entry} />}
      {entry.state === "waiting" && (
        <p className="message-note">
          <Icon name="clock" size={15} />
          <span>{entry.error ?? texts.waitingToSend}</span>
          {entry.retryAtMs !== null && <Countdown untilMs={entry.retryAtMs} />}
          <button type="button" className="link-button" onClick={() => void takeBack(entry)}>
            {texts.edit}
          </button>
          <button type="button" className="link-button" onClick={() => removeOutgoing(entry.key)}>
            {texts.discard}
          </button>
        </p>
      )}
      {entry.state === "refused" && <Refusal entry={entry} />}
    </article>
  );
}

/** Files take a while. */
function Sending({ entry: { key, files } }: { readonly entry: Outgoing }) {
  const texts = useTexts();
  const share = useStore(sentShares).get(key);
  return (
    <p className="message-note">
      <span>{texts.sending}</span>
      {files.length > 0 && <progress aria-label={texts.sending} max={1} value={share ?? 0} />}
    </p>
  );
}
