import type { Element, RootContent } from "hast";
import { common, createLowlight } from "lowlight";
import type { ReactNode } from "react";

const lowlight = createLowlight(common);

/** Code in coloured pieces; null for a language that is not known. */
export function highlight(code: string, language: string): ReactNode {
  const name = language.toLowerCase();
  if (!lowlight.registered(name)) return null;
  return lowlight.highlight(name, code).children.map(toReact);
}

function toReact(node: RootContent, index: number): ReactNode {
  if (node.type === "text") return node.value;
  if (node.type !== "element") return null;
  return (
    <span key={index} className={classOf(node)}>
      {node.children.map(toReact)}
    </span>
  );
}

function classOf({ properties }: Element): string {
  const names = properties["className"];
  return Array.isArray(names) ? names.join(" ") : "";
}
