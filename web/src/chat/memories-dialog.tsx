import { useEffect, useState } from "react";
import { client } from "../api/client.ts";
import type { MemoryList } from "../api/types.ts";
import { agentName, agents } from "../state/catalogue.ts";
import { notifyError } from "../state/notices.ts";
import { language } from "../state/preferences.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Dialog } from "../ui/dialog.tsx";
import { IconButton } from "../ui/icon-button.tsx";

/** What agents remember of oneself beside conversations, to be seen and erased. */
export function MemoriesDialog({ onClose }: { readonly onClose: () => void }) {
  const texts = useTexts();
  const list = useStore(agents);
  const chosenLanguage = useStore(language);
  const [found, setFound] = useState<MemoryList | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [isPending, setPending] = useState(false);
  const load = async (signal?: AbortSignal) => {
    try {
      setFound(await client.memories.list({}, { signal }));
    } catch (error) {
      if (signal?.aborted !== true) notifyError(error);
    }
  };
  useEffect(() => {
    const controller = new AbortController();
    void load(controller.signal);
    return () => controller.abort();
  }, []);

  const change = async (work: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await work();
    } catch (error) {
      notifyError(error);
    }
    await load();
    setBusy(false);
  };
  const eraseAll = () => {
    if (!window.confirm(texts.memories.eraseAllQuestion)) return;
    void change(async () => {
      const { pending } = await client.memories.forgetAll();
      setPending(pending);
    });
  };
  const names = (ids: readonly string[]) => {
    const known = ids.map((id) => agentName(list, id));
    const shown = known.slice(0, 3).join(", ");
    return known.length > 3 ? texts.memories.andMore(shown, known.length - 3) : shown;
  };

  return (
    <Dialog title={texts.memories.title} onClose={onClose}>
      <div className="settings-form">
        <p className="quiet">{texts.memories.hint}</p>
        {found === null && <p className="quiet">{texts.loading}</p>}
        {found !== null && found.memories.length === 0 && (
          <p role="status">{found.complete ? texts.memories.none : texts.memories.noneOfThose}</p>
        )}
        {found !== null && found.memories.length > 0 && (
          <ul className="memories" aria-label={texts.memories.title} tabIndex={0}>
            {found.memories.map((memory) => (
              <li key={memory.memory_id}>
                <div>
                  <p dir="auto">{memory.memory}</p>
                  <p className="quiet">
                    {names(memory.agent_ids)}
                    {memory.updated_at !== null &&
                      ` · ${new Date(memory.updated_at).toLocaleDateString(chosenLanguage)}`}
                  </p>
                </div>
                <IconButton
                  icon="trash"
                  size={17}
                  label={texts.memories.erase}
                  disabled={isBusy}
                  onClick={() => void change(() => client.memories.forget(memory.memory_id))}
                />
              </li>
            ))}
          </ul>
        )}
        {found?.complete === false && <p className="quiet">{texts.memories.incomplete}</p>}
        {isPending && <p role="status">{texts.memories.pending}</p>}
        <div className="form-buttons">
          <button
            type="button"
            className="primary"
            disabled={isBusy || found === null || (found.count === 0 && found.complete)}
            onClick={eraseAll}
          >
            {texts.memories.eraseAll}
          </button>
        </div>
      </div>
    </Dialog>
  );
}
