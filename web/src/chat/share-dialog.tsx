import { useEffect, useState } from "react";
import { client } from "../api/client.ts";
import type { Share } from "../api/types.ts";
import { notifyError } from "../state/notices.ts";
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
  useEffect(() => {
    const leaving = new AbortController();
    client.sessions
      .shares(sessionId, { signal: leaving.signal })
      .then(setShares, (error: unknown) => {
        if (!leaving.signal.aborted) notifyError(error);
      });
    return () => leaving.abort();
  }, [sessionId]);

  /** And shows what there is then. */
  const change = async (request: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await request();
      setShares(await client.sessions.shares(sessionId));
    } catch (error) {
      notifyError(error);
    } finally {
      setBusy(false);
    }
  };
  const make = () =>
    client.sessions.share(sessionId, { expires_in: days * daySeconds, include_files: hasFiles });

  return (
    <Dialog title={texts.share.title} onClose={onClose}>
      <form
        className="settings-form"
        onSubmit={(event) => {
          event.preventDefault();
          void change(make);
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
              const end = new Date(share.expires_at).toLocaleString(chosenLanguage);
              return (
                <li key={share.share_id}>
                  <input readOnly value={url} aria-label={texts.share.link} />
                  <CopyButton text={url} label={texts.share.copy} />
                  <IconButton
                    icon="trash"
                    size={17}
                    label={texts.share.end}
                    disabled={isBusy}
                    onClick={() =>
                      void change(() => client.sessions.endShare(sessionId, share.share_id))
                    }
                  />
                  <span className="quiet">
                    {texts.share.until(end)}
                    {share.include_files && ` · ${texts.share.withFiles}`}
                  </span>
                </li>
              );
            })}
          </ul>
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
