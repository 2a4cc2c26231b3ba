import { useEffect, useRef, useState } from "react";
import { client } from "../api/client.ts";
import type { KnowledgeList } from "../api/types.ts";
import { agentName, agents } from "../state/catalogue.ts";
import { encodeFile } from "../state/encode-file.ts";
import { notifyError } from "../state/notices.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Dialog } from "../ui/dialog.tsx";
import { IconButton } from "../ui/icon-button.tsx";

type Knowledge = KnowledgeList["knowledge"][number];

/** While a document is being read, it is asked how far that is. */
const lookAgainMs = 2_000;

/** The documents that agents look things up in; the service lets administrators change them. */
export function KnowledgeDialog({ onClose }: { readonly onClose: () => void }) {
  const texts = useTexts();
  const [found, setFound] = useState<KnowledgeList | null>(null);
  const [isBusy, setBusy] = useState(false);
  const load = async (signal?: AbortSignal) => {
    try {
      setFound(await client.knowledge.list({ signal }));
    } catch (error) {
      if (signal?.aborted !== true) notifyError(error);
    }
  };
  useEffect(() => {
    const controller = new AbortController();
    void load(controller.signal);
    return () => controller.abort();
  }, []);
  useEffect(() => {
    const isReading = found?.knowledge.some(({ documents }) =>
      documents.some(({ status }) => status === "processing"),
    );
    if (isReading !== true) return undefined;
    const timer = setTimeout(() => void load(), lookAgainMs);
    return () => clearTimeout(timer);
  }, [found]);

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

  return (
    <Dialog title={texts.knowledge.title} onClose={onClose}>
      <div className="settings-form">
        <p className="quiet">{texts.knowledge.hint}</p>
        {found === null && <p className="quiet">{texts.loading}</p>}
        {found?.knowledge.length === 0 && <p role="status">{texts.knowledge.none}</p>}
        {found?.knowledge.map((knowledge) => (
          <Documents
            key={knowledge.knowledge_id}
            knowledge={knowledge}
            isBusy={isBusy}
            onChange={found.may_change ? (work) => void change(work) : null}
          />
        ))}
        {found?.complete === false && <p className="quiet">{texts.knowledge.incomplete}</p>}
      </div>
    </Dialog>
  );
}

interface DocumentsProps {
  readonly knowledge: Knowledge;
  readonly isBusy: boolean;
  /** Null: they may only be read. */
  readonly onChange: ((work: () => Promise<unknown>) => void) | null;
}

function Documents({ knowledge, isBusy, onChange }: DocumentsProps) {
  const texts = useTexts();
  const list = useStore(agents);
  const input = useRef<HTMLInputElement>(null);
  const { knowledge_id: id, name, description, agent_ids: users, documents } = knowledge;
  const add = (files: readonly File[]) =>
    onChange?.(async () => {
      for (const file of files) {
        await client.knowledge.add(id, await encodeFile(file));
      }
    });
  const remove = (document: Knowledge["documents"][number]) => {
    if (!window.confirm(texts.knowledge.removeQuestion(document.name))) return;
    onChange?.(() => client.knowledge.remove(id, document.document_id));
  };
  const about = [description, users.map((each) => agentName(list, each)).join(", ")];
  return (
    <section aria-label={name}>
      <p dir="auto">
        <strong>{name}</strong>
        {onChange !== null && (
          <IconButton
            icon="plus"
            size={17}
            label={texts.knowledge.add(name)}
            disabled={isBusy}
            onClick={() => input.current?.click()}
          />
        )}
      </p>
      <p className="quiet">{about.filter((each) => each !== null && each !== "").join(" · ")}</p>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        onChange={({ target }) => {
          add([...(target.files ?? [])]);
          // The same file can be chosen again.
          target.value = "";
        }}
      />
      {documents.length === 0 ? (
        <p className="quiet">{texts.knowledge.noneInIt}</p>
      ) : (
        <ul className="memories" aria-label={name} tabIndex={0}>
          {documents.map((document) => (
            <li key={document.document_id}>
              <div>
                <p dir="auto">{document.name}</p>
                <p className="quiet">{texts.knowledge.status[document.status]}</p>
              </div>
              {onChange !== null && (
                <IconButton
                  icon="trash"
                  size={17}
                  label={texts.knowledge.remove(document.name)}
                  disabled={isBusy}
                  onClick={() => remove(document)}
                />
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
