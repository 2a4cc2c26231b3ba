import { useEffect, useState, type ReactNode } from "react";
import { CopyButton } from "../ui/copy-button.tsx";
import { useTexts } from "../text/use-texts.ts";

interface CodeBlockProps {
  readonly code: string;
  readonly language: string | null;
}

/** Beyond this, colours cost more than they are worth. */
const maxHighlighted = 50_000;

/** Code with its colours, which are loaded with the first piece of code. */
export function CodeBlock({ code, language }: CodeBlockProps) {
  const texts = useTexts();
  const [coloured, setColoured] = useState<{ code: string; nodes: ReactNode } | null>(null);
  useEffect(() => {
    let isCurrent = true;
    const colour = async () => {
      if (language === null || code.length > maxHighlighted) return;
      const { highlight } = await import("./highlight.tsx");
      const nodes = highlight(code, language);
      if (isCurrent && nodes !== null) setColoured({ code, nodes });
    };
    colour().catch(() => undefined);
    return () => {
      isCurrent = false;
    };
  }, [code, language]);
  // While code grows, what is coloured already stays so, and the rest follows plain.
  const isPrefix = coloured !== null && code.startsWith(coloured.code);
  return (
    <div className="code-block">
      <div className="code-head">
        <span>{language ?? ""}</span>
        <CopyButton
          text={code}
          label={language === null ? texts.copyCode : texts.copyCodeOf(language)}
        />
      </div>
      <pre tabIndex={0}>
        <code>
          {isPrefix ? (
            <>
              {coloured.nodes}
              {code.slice(coloured.code.length)}
            </>
          ) : (
            code
          )}
        </code>
      </pre>
    </div>
  );
}
