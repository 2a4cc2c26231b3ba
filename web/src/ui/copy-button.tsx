import { useEffect, useState } from "react";
import { notify } from "../state/notices.ts";
import { useTexts } from "../text/use-texts.ts";
import { copyText } from "./copy-text.ts";
import { IconButton } from "./icon-button.tsx";
import type { IconName } from "./icons.tsx";

const shownMs = 1_800;

interface CopyButtonProps {
  readonly text: string;
  readonly label?: string;
  readonly icon?: IconName;
}

export function CopyButton({ text, label, icon = "copy" }: CopyButtonProps) {
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
      icon={isCopied ? "check" : icon}
      size={17}
      label={isCopied ? texts.copied : (label ?? texts.copy)}
      onClick={() => void copy()}
    />
  );
}
