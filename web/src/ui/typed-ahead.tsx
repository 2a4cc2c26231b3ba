import { useLayoutEffect, useRef } from "react";
import { useTexts } from "../text/use-texts.ts";

interface TypedAheadProps {
  readonly onType: (text: string) => void;
  readonly onClose: () => void;
}

/** Stands where a part with a field will be, and takes what is typed into it until it is there. */
export function TypedAhead({ onType, onClose }: TypedAheadProps) {
  const texts = useTexts();
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    field.current?.focus();
    // What is there then returns the focus to where it was.
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <input
      className="off-screen"
      ref={field}
      aria-label={texts.loading}
      onChange={(event) => onType(event.target.value)}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        onClose();
      }}
    />
  );
}
