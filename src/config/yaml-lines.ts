import { stringify } from "yaml";
import { formatByteSize } from "./byte-size.ts";
import type { Setting } from "./setting.ts";

/** A value in one line of YAML that the loader reads back as the same value. */
export function yamlValue(setting: Setting, value: unknown): string {
  if (typeof value === "number" && setting.kind === "bytes") return formatByteSize(value);
  if (Array.isArray(value) && setting.kind === "list") {
    return `[${value.map((item) => JSON.stringify(item)).join(", ")}]`;
  }
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  // Long texts with line ends would otherwise go on in the next line.
  const oneLine = { lineWidth: 0, blockQuote: false, doubleQuotedMinMultiLineLength: Infinity };
  return stringify(value, oneLine).replace(/\n$/, "");
}

/** What stands at one key. */
interface YamlRow {
  readonly section: string;
  /** Dots are levels. */
  readonly key: string;
  readonly value: string;
  /** Comment lines before it. */
  readonly before?: readonly string[];
  /** A comment behind it. */
  readonly behind?: string;
}

const columnLimit = 60;

/** The lines of a YAML file with these rows, which come sorted by section and group. */
export function yamlLines(rows: readonly YamlRow[]): readonly string[] {
  const lines: { readonly text: string; readonly behind?: string }[] = [];
  let path: readonly string[] = [];
  for (const { section, key, value, before = [], behind } of rows) {
    const names = [section, ...key.split(".")];
    const groups = names.slice(0, -1);
    if (groups[0] !== path[0] && lines.length > 0) lines.push({ text: "" });
    for (const [depth, group] of groups.entries()) {
      if (groups.slice(0, depth + 1).join(".") === path.slice(0, depth + 1).join(".")) continue;
      lines.push({ text: `${"  ".repeat(depth)}${group}:` });
    }
    const indent = "  ".repeat(groups.length);
    for (const line of before) lines.push({ text: `${indent}# ${line}` });
    const text = `${indent}${names.at(-1) ?? ""}: ${value}`;
    lines.push(behind === undefined ? { text } : { text, behind });
    path = groups;
  }
  const widths = lines.filter((line) => line.behind !== undefined).map((line) => line.text.length);
  const column = Math.min(columnLimit, Math.max(0, ...widths));
  return lines.map(({ text, behind }) =>
    behind === undefined ? text : `${text.padEnd(column)}  # ${behind}`,
  );
}
