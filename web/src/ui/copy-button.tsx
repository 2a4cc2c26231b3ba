import { useEffect, useState } from "react";
import { notify } from "../state/notices.ts";
import { useTexts } from "../text/use-texts.ts";
import { IconButton } from "./icon-button.tsx";

const shownMs = 1_800;

export function CopyButton({ text, label }: { readonly text: string; readonly label?: string }) {
  const texts = useTexts();
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), shownMs);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async () => {
    try {
      await copyText(text);
      setCopied(true);
    } catch {
      notify({ kind: "error", text: texts.copyFailed });
    }
  };
  return (
    <IconButton
      icon={isCopied ? "check" : "copy"}
      size={17}
      label={isCopied ? texts.copied : (label ?? texts.copy)}
      onClick={() => void copy()}
    />
  );
}

/** Pages that came over plain HTTP have no clipboard of their own: those select and copy as a user would. */
async function copyText(text: string): Promise<void> {
  if (window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "off-screen";
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (!isDone) throw new Error("the browser does not copy");
}
