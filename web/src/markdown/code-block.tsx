import { useEffect, useState, type ReactNode } from "react";
import { saveFile } from "../state/save-file.ts";
import { CopyButton } from "../ui/copy-button.tsx";
import { IconButton } from "../ui/icon-button.tsx";
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
  const [isWrapped, setWrapped] = useState(false);
  // While code grows, what is coloured already stays so, and the rest follows plain.
  const isPrefix = coloured !== null && code.startsWith(coloured.code);
  return (
    <div className={isWrapped ? "code-block wrapped" : "code-block"}>
      <div className="code-head">
        <span>{language ?? texts.code}</span>
        <IconButton
          icon="wrap"
          size={17}
          label={texts.wrapLines}
          aria-pressed={isWrapped}
          onClick={() => setWrapped(!isWrapped)}
        />
        <IconButton
          icon="down"
          size={17}
          label={texts.saveCode}
          onClick={() => saveFile(new Blob([code], { type: "text/plain" }), nameOf(language))}
        />
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

/** Its ending is the language's, where that is one. */
function nameOf(language: string | null): string {
  const ending = language === null ? null : (endings[language.toLowerCase()] ?? language);
  return `code.${ending !== null && /^[a-z0-9+]{1,12}$/i.test(ending) ? ending : "txt"}`;
}

const endings: Readonly<Record<string, string>> = {
  bash: "sh",
  csharp: "cs",
  javascript: "js",
  kotlin: "kt",
  markdown: "md",
  python: "py",
  ruby: "rb",
  rust: "rs",
  shell: "sh",
  text: "txt",
  typescript: "ts",
  yaml: "yml",
};
