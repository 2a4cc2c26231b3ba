import { isConnected } from "../state/connection.ts";
import { endPrinting, printing } from "../state/print-conversation.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Dialog } from "../ui/dialog.tsx";
import { onDemand } from "../ui/on-demand.tsx";

const PrintView = onDemand(async () => (await import("./print-view.tsx")).PrintView);

/** How far what is to be printed has been loaded, and then the whole of it, which only paper shows. */
export function PrintDialog() {
  const texts = useTexts();
  const job = useStore(printing);
  const connected = useStore(isConnected);
  if (job === null) return null;
  return (
    <>
      <Dialog title={texts.print.title} onClose={endPrinting}>
        <p role="status">
          {!connected
            ? texts.offline
            : job.kind === "loading" && job.total > 0
              ? texts.print.loading(job.loaded, job.total)
              : texts.print.preparing}
        </p>
        <div className="form-buttons">
          <button type="button" className="secondary" onClick={endPrinting}>
            {texts.cancel}
          </button>
        </div>
      </Dialog>
      {job.kind === "ready" && <PrintView session={job.session} messages={job.messages} />}
    </>
  );
}
