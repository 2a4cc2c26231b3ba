import type { Element, Nodes } from "hast";
import { memo, useEffect, useState, type AnchorHTMLAttributes, type HTMLAttributes } from "react";
import ReactMarkdown, { type Components, type Options } from "react-markdown";
import remarkGfm from "remark-gfm";
import { headingLevels, outlineAfter, type Outline } from "./heading-levels.ts";
import { CodeBlock } from "./code-block.tsx";
import { Maths } from "./maths.tsx";
import { mayHaveMaths, normaliseMaths } from "./normalise-maths.ts";
import { RemoteImage, webUrl } from "./remote-image.tsx";
import { splitBlocks } from "./split-blocks.ts";
import { useTexts } from "../text/use-texts.ts";
import { isTooMuch } from "../../../src/lib/too-much.ts";

interface MarkdownProps {
  readonly text: string;
  /** More is to come: only the last block is drawn again. */
  readonly isGrowing: boolean;
  /** Keeps the anchors of footnotes of different messages apart. */
  readonly id: string;
}

/** Markdown as models write it: tables, task lists, code, formulas. HTML in it stays text. */
export const Markdown = memo(({ text, isGrowing, id }: MarkdownProps) => {
  // In one piece, what refers to something elsewhere in the text finds it.
  const isWhole = !isGrowing && !isTooMuch(text);
  const blocks = isWhole ? [text] : splitBlocks(text);
  let outline: Outline = [];
  return (
    <div className="markdown">
      {blocks.map((block, index) => {
        const before = outline.join();
        outline = outlineAfter(outline, block);
        return (
          // oxlint-disable-next-line react/no-array-index-key -- blocks only grow at the end
          <Block key={isWhole ? "whole" : index} text={block} id={id} outline={before} />
        );
      })}
    </div>
  );
});

type Plugins = NonNullable<Options["remarkPlugins"]>;

const plainPlugins: Plugins = [remarkGfm];
let mathsPlugins: Plugins | null = null;

interface BlockProps {
  readonly text: string;
  readonly id: string;
  /** Levels of the headings that it stands below, in one string: the same one is the same block. */
  readonly outline: string;
}

const Block = memo(({ text, id, outline }: BlockProps) => {
  const texts = useTexts();
  const hasMaths = mayHaveMaths(text);
  const [plugins, setPlugins] = useState(mathsPlugins);
  useEffect(() => {
    if (!hasMaths || plugins !== null) return;
    let isCurrent = true;
    const load = async () => {
      const { default: remarkMath } = await import("remark-math");
      mathsPlugins ??= [remarkGfm, [remarkMath, { singleDollarTextMath: false }]];
      if (isCurrent) setPlugins(mathsPlugins);
    };
    load().catch(() => undefined);
    return () => {
      isCurrent = false;
    };
  }, [hasMaths, plugins]);
  if (isTooMuch(text)) return <div className="plain">{text}</div>;
  const isMaths = hasMaths && plugins !== null;
  const above = outline === "" ? [] : outline.split(",").map(Number);
  return (
    <ReactMarkdown
      rehypePlugins={[[headingLevels, { outline: above }]]}
      remarkPlugins={isMaths ? plugins : plainPlugins}
      remarkRehypeOptions={{
        clobberPrefix: `${id}-`,
        footnoteLabel: texts.footnotes,
        footnoteBackLabel: texts.toReference,
      }}
      components={components}
    >
      {isMaths ? normaliseMaths(text) : text}
    </ReactMarkdown>
  );
});

interface NodeProps {
  readonly node?: Element | undefined;
}

const components: Components = {
  a: ({
    node: _node,
    href = "",
    children,
    ...rest
  }: AnchorHTMLAttributes<HTMLAnchorElement> & NodeProps) => {
    if (href.startsWith("#")) {
      return (
        <a {...rest} href={href}>
          {children}
        </a>
      );
    }
    const isMail = href.startsWith("mailto:");
    if (!isMail && webUrl(href) === null) return <span>{children}</span>;
    return (
      <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={href}>
        {children}
      </a>
    );
  },
  img: ({ src, alt }) => <RemoteImage url={typeof src === "string" ? src : ""} name={alt ?? ""} />,
  pre: ({ node, children }) => {
    const code = node?.children[0];
    if (code?.type !== "element" || code.tagName !== "code") return <pre>{children}</pre>;
    const classes = classesOf(code);
    if (classes.includes("math-display")) return <Maths tex={textOf(code)} isDisplayed />;
    const language = classes.find((name) => name.startsWith("language-"))?.slice(9) ?? null;
    return <CodeBlock code={textOf(code).replace(/\n$/, "")} language={language} />;
  },
  code: ({ node, children }) =>
    node !== undefined && classesOf(node).includes("math-inline") ? (
      <Maths tex={textOf(node)} isDisplayed={false} />
    ) : (
      <code>{children}</code>
    ),
  table: ({ node: _node, ...rest }: HTMLAttributes<HTMLTableElement> & NodeProps) => (
    <div className="table-frame" tabIndex={0}>
      <table {...rest} />
    </div>
  ),
  input: ({ checked }) => (
    <input
      type="checkbox"
      checked={checked === true}
      readOnly
      disabled
      aria-label={checked === true ? "✓" : "○"}
    />
  ),
};

function classesOf({ properties }: Element): string[] {
  const names = properties["className"];
  return Array.isArray(names) ? names.map(String) : [];
}

function textOf(node: Nodes): string {
  if (node.type === "text") return node.value;
  return "children" in node ? node.children.map(textOf).join("") : "";
}
