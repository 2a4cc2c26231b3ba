import { useRef } from "react";
import { acceptedTypes } from "../state/attachable.ts";
import { attachFiles, currentAgent, detachFile, draftFiles } from "../state/draft-files.ts";
import { notify } from "../state/notices.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { LocalFile } from "./attachments.tsx";

/** Chooses files to go with the message; an agent that takes none says so. */
export function AttachButton() {
  const texts = useTexts();
  const input = useRef<HTMLInputElement>(null);
  const choose = () => {
    const agent = currentAgent();
    const accepted = acceptedTypes(agent);
    if (accepted?.length === 0) {
      notify({ kind: "info", text: texts.files.takesNone(agent?.name ?? "") });
      return;
    }
    if (input.current === null) return;
    input.current.accept = accepted?.join(",") ?? "";
    input.current.click();
  };
  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        onChange={({ target }) => {
          attachFiles([...(target.files ?? [])]);
          // The same file can be chosen again.
          target.value = "";
        }}
      />
      <IconButton icon="clip" label={texts.files.attach} onClick={choose} />
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
