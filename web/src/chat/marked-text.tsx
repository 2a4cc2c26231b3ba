import type { TextPart } from "./highlight-words.ts";

/** A text in which what was found is marked. */
export function MarkedText({ parts }: { readonly parts: readonly TextPart[] }) {
  return (
    <span dir="auto">
      {parts.map((part, index) =>
        part.isFound ? <mark key={index}>{part.text}</mark> : <span key={index}>{part.text}</span>,
      )}
    </span>
  );
}
