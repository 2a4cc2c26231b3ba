import { useEffect, useState, type ReactNode } from "react";
import type { AttachmentInfo } from "../api/types.ts";
import { fileSize } from "../state/draft-files.ts";
import { loadAttachment } from "../state/load-attachment.ts";
import { notifyError } from "../state/notices.ts";
import { useTexts } from "../text/use-texts.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icons.tsx";

/** The images that browsers show as nothing but images. */
const shown = /^image\/(?:png|jpeg|gif|webp|avif|bmp)$/;

interface FileCardProps {
  readonly name: string;
  readonly size: number;
  readonly children?: ReactNode;
}

/** A file that is not an image, or one that is not there yet. */
export function FileCard({ name, size, children }: FileCardProps) {
  return (
    <span className="file-card">
      <Icon name="file" size={18} />
      <span className="file-name" dir="auto">
        {name}
      </span>{" "}
      <small>{fileSize(size)}</small>
      {children}
    </span>
  );
}

/** A file of this browser: images as they are, anything else by name. */
export function LocalFile({
  file,
  children,
}: {
  readonly file: File;
  readonly children?: ReactNode;
}) {
  const url = useObjectUrl(shown.test(file.type) ? file : null);
  if (url === null) {
    return (
      <FileCard name={file.name} size={file.size}>
        {children}
      </FileCard>
    );
  }
  return (
    <span className="file-picture">
      <img src={url} alt={file.name} title={file.name} />
      {children}
    </span>
  );
}

/** What came with a message: images small, to be looked at; anything else to be saved. */
export function Attachments({ files }: { readonly files: readonly AttachmentInfo[] }) {
  const texts = useTexts();
  if (files.length === 0) return null;
  return (
    <ul className="files" aria-label={texts.files.label}>
      {files.map((file) => (
        <li key={file.attachment_id}>
          {shown.test(file.media_type) ? <Picture file={file} /> : <Download file={file} />}
        </li>
      ))}
    </ul>
  );
}

function Picture({ file }: { readonly file: AttachmentInfo }) {
  const texts = useTexts();
  const [bytes, setBytes] = useState<Blob | null>(null);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    let isCurrent = true;
    loadAttachment(file.attachment_id)
      .then((blob) => {
        if (isCurrent) setBytes(blob);
      })
      // It can still be asked for by its name.
      .catch(() => undefined);
    return () => {
      isCurrent = false;
    };
  }, [file.attachment_id]);
  const url = useObjectUrl(bytes);
  if (url === null) return <Download file={file} />;
  return (
    <>
      <button
        type="button"
        className="file-picture"
        title={file.name}
        aria-label={texts.files.open(file.name)}
        onClick={() => setOpen(true)}
      >
        <img src={url} alt="" />
      </button>
      {isOpen && (
        <Dialog title={file.name} onClose={() => setOpen(false)}>
          <img className="file-large" src={url} alt={file.name} />
          <Download file={file} />
        </Dialog>
      )}
    </>
  );
}

function Download({ file }: { readonly file: AttachmentInfo }) {
  const texts = useTexts();
  const save = async () => {
    const url = URL.createObjectURL(await loadAttachment(file.attachment_id));
    const link = document.createElement("a");
    link.href = url;
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  return (
    <button
      type="button"
      className="file-button"
      // What is seen is part of what is said.
      aria-label={texts.files.save(`${file.name} ${fileSize(file.size)}`)}
      onClick={() => void save().catch(notifyError)}
    >
      <FileCard name={file.name} size={file.size} />
    </button>
  );
}

/** An address for the bytes, as long as they are shown. */
function useObjectUrl(bytes: Blob | null): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (bytes === null) return;
    const made = URL.createObjectURL(bytes);
    setUrl(made);
    return () => {
      URL.revokeObjectURL(made);
      setUrl(null);
    };
  }, [bytes]);
  return url;
}
