import { attachFiles } from "../state/draft-files.ts";
import { putBack } from "../state/composer.ts";
import { identity, signOut } from "../state/identity.ts";
import { goTo } from "../state/navigation.ts";
import { notifyError } from "../state/notices.ts";
import { filesOf, removeOutgoing, type Outgoing } from "../state/outbox.ts";
import { isKnown, remediesFor, type Remedy } from "../state/remedies.ts";
import { sendAgain, sendAnew } from "../state/send.ts";
import { archiveSession } from "../state/sessions.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Countdown } from "../ui/countdown.tsx";
import { Icon } from "../ui/icons.tsx";

/** Why a message was not taken, and what may help; what was written stays until then. */
export function Refusal({ entry }: { readonly entry: Outgoing }) {
  const texts = useTexts();
  const { errorType: type, error, retryAtMs } = entry;
  // One can always try, or say it otherwise.
  const offered = new Set<Remedy>([...remediesFor(type), "again", "edit"]);
  return (
    <div className="message-note bad failure" role="alert">
      <Icon name="alert" size={15} />
      <div>
        <strong>{type !== null && isKnown(type) ? texts.problems[type] : texts.notSent}</strong>
        {error !== null && <p dir="auto">{error}</p>}
        {retryAtMs !== null && <Countdown untilMs={retryAtMs} />}
        <p className="remedies">
          {[...offered].map((remedy) => (
            <MessageRemedy key={remedy} remedy={remedy} entry={entry} />
          ))}
          <button type="button" className="link-button" onClick={() => removeOutgoing(entry.key)}>
            {texts.discard}
          </button>
        </p>
      </div>
    </div>
  );
}

function MessageRemedy({ remedy, entry }: { readonly remedy: Remedy; readonly entry: Outgoing }) {
  const texts = useTexts();
  const isTokenUsed = useStore(identity).kind === "token";
  const { sessionId, errorType } = entry;
  const act: Partial<Record<Remedy, () => void>> = {
    again: () => {
      if (errorType === "idempotency_conflict") void sendAnew(entry);
      else sendAgain(entry);
    },
    queue: () => sendAgain({ ...entry, onBusy: "enqueue" }),
    edit: () => void takeBack(entry),
    fresh: () => {
      goTo(null);
      void takeBack(entry);
    },
    ...(sessionId !== null && {
      activate: () =>
        void archiveSession(sessionId, false)
          .then(() => sendAgain(entry))
          .catch(notifyError),
    }),
    ...(isTokenUsed && { signIn: () => signOut(true) }),
  };
  const run = act[remedy];
  if (run === undefined) return null;
  return (
    <button type="button" className="link-button" onClick={run}>
      {remedy === "again"
        ? texts.sendAgain
        : remedy === "edit"
          ? texts.edit
          : texts.remedies[remedy]}
    </button>
  );
}

/** To where messages are written, with its files. */
export async function takeBack(entry: Outgoing): Promise<void> {
  const files = await filesOf(entry);
  putBack(entry.text);
  if (files.length > 0) attachFiles(files);
  removeOutgoing(entry.key);
}
