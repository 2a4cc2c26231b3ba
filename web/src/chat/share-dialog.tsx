import { useEffect, useRef, useState } from "react";
import { client } from "../api/client.ts";
import type { Share } from "../api/types.ts";
import { wordsOf } from "../state/notices.ts";
import { language } from "../state/preferences.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { CopyButton } from "../ui/copy-button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { IconButton } from "../ui/icon-button.tsx";

const choices = [1, 7, 30, 365] as const;
const daySeconds = 86_400;

interface ShareDialogProps {
  readonly sessionId: string;
  readonly onClose: () => void;
}

/** Makes links to a conversation, shows those that work, and ends them. */
export function ShareDialog({ sessionId, onClose }: ShareDialogProps) {
  const texts = useTexts();
  const chosenLanguage = useStore(language);
  const [days, setDays] = useState<number>(7);
  const [hasFiles, setHasFiles] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [shares, setShares] = useState<readonly Share[] | null>(null);
  // Said in here: what is behind an open dialog cannot be reached.
  const [fault, setFault] = useState<string | null>(null);
  /** A link that was asked for and may have been made: the same again is the same request. */
  const tried = useRef<{ readonly terms: string; readonly key: string } | null>(null);
  useEffect(() => {
    const leaving = new AbortController();
    client.sessions
      .shares(sessionId, { signal: leaving.signal })
      .then(setShares, (error: unknown) => {
        if (!leaving.signal.aborted) setFault(wordsOf(error));
      });
    return () => leaving.abort();
  }, [sessionId]);

  /** And shows what there is then: of what was done, the answer alone may have been lost. */
  const change = async (
    request: () => Promise<unknown>,
    isDone: (now: readonly Share[]) => boolean,
  ) => {
    setBusy(true);
    const failed = await request().then(
      () => null,
      (error: unknown) => wordsOf(error),
    );
    try {
      const now = await client.sessions.shares(sessionId);
      setShares(now);
      const isOver = failed === null || isDone(now);
      if (isOver) tried.current = null;
      setFault(isOver ? null : failed);
    } catch (error) {
      setFault(failed ?? wordsOf(error));
    }
    setBusy(false);
  };
  const make = () => {
    const wanted = { expires_in: days * daySeconds, include_files: hasFiles };
    const terms = JSON.stringify(wanted);
    if (tried.current?.terms !== terms) tried.current = { terms, key: crypto.randomUUID() };
    const { key } = tried.current;
    const isNew = ({ share_id: id }: Share) => !shares?.some((known) => known.share_id === id);
    void change(
      () => client.sessions.share(sessionId, wanted, { idempotencyKey: key }),
      (now) => shares !== null && now.some(isNew),
    );
  };
  const end = ({ share_id: id }: Share) =>
    void change(
      () => client.sessions.endShare(sessionId, id),
      (now) => now.every((each) => each.share_id !== id),
    );

  return (
    <Dialog title={texts.share.title} onClose={onClose}>
      <form
        className="settings-form"
        onSubmit={(event) => {
          event.preventDefault();
          make();
        }}
      >
        <p>{texts.share.hint}</p>
        <div className="share-terms">
          <label>
            {texts.share.days}{" "}
            <select value={days} onChange={(event) => setDays(Number(event.target.value))}>
              {choices.map((each) => (
                <option key={each} value={each}>
                  {texts.share.daysOf(each)}
                </option>
              ))}
            </select>
          </label>
          <label>
            <input
              type="checkbox"
              checked={hasFiles}
              onChange={(event) => setHasFiles(event.target.checked)}
            />{" "}
            {texts.share.files}
          </label>
        </div>
        {shares !== null && shares.length > 0 && (
          <ul className="share-links" aria-label={texts.share.links}>
            {shares.map((share) => {
              const url = share.url.startsWith("/") ? client.url(share.url) : share.url;
              const expiry = new Date(share.expires_at).toLocaleString(chosenLanguage);
              return (
                <li key={share.share_id}>
                  <input readOnly value={url} aria-label={texts.share.link} />
                  <CopyButton text={url} label={texts.share.copy} />
                  <IconButton
                    icon="trash"
                    size={17}
                    label={texts.share.end}
                    disabled={isBusy}
                    onClick={() => end(share)}
                  />
                  <span className="quiet">
                    {texts.share.until(expiry)}
                    {share.include_files && ` · ${texts.share.withFiles}`}
                  </span>
                </li>
              );
            })}
          </ul>
        )}
        {fault !== null && (
          <p className="error-text" role="alert">
            {fault}
          </p>
        )}
        <div className="form-buttons">
          <button type="submit" className="primary" disabled={isBusy}>
            {texts.share.make}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
