import { useEffect, useState } from "react";
import { client } from "../api/client.ts";
import type { ImportResult } from "../api/types.ts";
import { refreshSessions } from "../state/sessions.ts";
import { useTexts } from "../text/use-texts.ts";
import { Dialog } from "../ui/dialog.tsx";

type State =
  | { readonly kind: "choosing" }
  /** `share` of the file has been sent; 1: the service works on it. */
  | { readonly kind: "sending"; readonly share: number }
  | { readonly kind: "done"; readonly result: ImportResult }
  | { readonly kind: "refused"; readonly message: string };

/** Chooses a file of conversations, shows how far it is and what became of it. Closing it stops what is being sent. */
export function ImportDialog({ onClose }: { readonly onClose: () => void }) {
  const texts = useTexts();
  const [state, setState] = useState<State>({ kind: "choosing" });
  const [file, setFile] = useState<File | null>(null);

  useEffect(() => {
    if (file === null) return;
    const leaving = new AbortController();
    setState({ kind: "sending", share: 0 });
    const onProgress = (share: number) => setState({ kind: "sending", share });
    client.sessions.import(file, { onProgress, signal: leaving.signal }).then(
      (result) => {
        setState({ kind: "done", result });
        return refreshSessions();
      },
      (error: unknown) => {
        if (leaving.signal.aborted) return;
        const message = error instanceof Error ? error.message : String(error);
        setState({ kind: "refused", message });
      },
    );
    return () => leaving.abort();
  }, [file]);

  const isSending = state.kind === "sending";
  return (
    <Dialog title={texts.importTitle} onClose={onClose}>
      <p>{texts.importHint}</p>
      <input
        type="file"
        aria-label={texts.importFile}
        accept=".json,.jsonl,.zip"
        disabled={isSending}
        onChange={(event) => setFile(event.target.files?.[0] ?? null)}
      />
      <div role="status">
        {isSending && (
          <p>
            <progress
              aria-label={texts.importTitle}
              {...(state.share < 1 && { value: state.share })}
            />{" "}
            {state.share < 1 ? texts.importSending : texts.importWorking}
          </p>
        )}
        {state.kind === "refused" && <p className="error-text">{state.message}</p>}
        {state.kind === "done" && <ImportReport result={state.result} />}
      </div>
    </Dialog>
  );
}

const shownFaults = 20;

function ImportReport({ result }: { readonly result: ImportResult }) {
  const texts = useTexts();
  const { imported, updated, skipped, failed, conversations } = result;
  const faults = conversations.filter(({ status }) => status === "failed").slice(0, shownFaults);
  return (
    <>
      <p>{texts.importDone(imported, updated, skipped, failed)}</p>
      {faults.length > 0 && (
        <ul>
          {faults.map(({ title, error }, index) => (
            // Two of them may have the same title.
            <li key={index} dir="auto">
              {title ?? texts.untitled}: {error}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
