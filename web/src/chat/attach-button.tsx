import { useRef } from "react";
import type { Agent } from "../api/types.ts";
import { acceptedTypes } from "../state/attachable.ts";
import { attachFiles, detachFile, draftFiles } from "../state/draft-files.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { LocalFile } from "./attachments.tsx";

/** Chooses files to go with the message; nothing where the agent takes none, or it is not known yet which it takes. */
export function AttachButton({ agent }: { readonly agent: Agent | null }) {
  const texts = useTexts();
  const input = useRef<HTMLInputElement>(null);
  const accepted = acceptedTypes(agent);
  if (agent === null || accepted?.length === 0) return null;
  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        accept={accepted?.join(",")}
        onChange={({ target }) => {
          attachFiles([...(target.files ?? [])]);
          // The same file can be chosen again.
          target.value = "";
        }}
      />
      <IconButton icon="clip" label={texts.files.attach} onClick={() => input.current?.click()} />
    </>
  );
}

/** What will go with the message. */
export function DraftFiles() {
  const texts = useTexts();
  const files = useStore(draftFiles);
  if (files.length === 0) return null;
  return (
    <ul className="files draft" aria-label={texts.files.label}>
      {files.map((file, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- the same file may be there twice
        <li key={`${file.name}-${index}`}>
          <LocalFile file={file}>
            <IconButton
              icon="close"
              size={14}
              className="file-remove"
              label={texts.files.remove(file.name)}
              onClick={() => detachFile(file)}
            />
          </LocalFile>
        </li>
      ))}
    </ul>
  );
}
