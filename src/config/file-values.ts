import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type YAMLParseError,
  type YAMLWarning,
} from "yaml";
import type { GivenValue, GivenValues } from "./given-value.ts";
import { isPlaceholder } from "./placeholder.ts";
import { environmentName, knownByPath, knownSettings } from "./known-settings.ts";
import type { RawValue } from "./parse-value.ts";
import { settings } from "./settings.ts";
import { suggestForKey, suggestForSection } from "./suggest-key.ts";

const variable = /\$\{\w+[^}]*\}/;
const wholeVariable = /"\$\{\w+[^}"]*\}"/;
const sections = Object.keys(settings);

/** What a configuration file with this text says. `shownPath` names it in messages and origins. */
export function parseFileValues(text: string, shownPath: string): GivenValues {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    const faults = problems.map(
      (problem) =>
        `${shownPath} line ${lines.linePos(problem.pos[0]).line}: ${syntaxFault(problem)}`,
    );
    return { values: [], faults: [...new Set(faults)] };
  }
  return new FileReading(document, lines, shownPath).read();
}

/** The parser's words without the piece of the file that they quote, which may be part of a secret. */
function syntaxFault(problem: YAMLParseError | YAMLWarning): string {
  if (problem.code === "MULTIPLE_DOCS") return "a second document begins here; only one is allowed";
  const message = problem.message
    .replace(/: .*$/s, "")
    .replace(/(escape sequence|directive) .*$/s, "$1");
  return `${message}. This is not valid YAML; put values with special characters in quotes`;
}

/** One walk through a parsed file. */
class FileReading {
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #shownPath: string;
  readonly #values = new Map<string, GivenValue>();
  readonly #faults: string[] = [];

  constructor(document: Document, lines: LineCounter, shownPath: string) {
    this.#document = document;
    this.#lines = lines;
    this.#shownPath = shownPath;
  }

  read(): GivenValues {
    const root = this.#resolve(this.#document.contents);
    if (isMap(root)) {
      for (const { key, value } of root.items) this.#readSection(key, value);
    } else if (!isNothing(root)) {
      this.#fault(
        root,
        "",
        `the file must consist of sections such as ${sections[0]}: and ${sections[1]}:`,
      );
    }
    return { values: [...this.#values.values()], faults: this.#faults };
  }

  #readSection(keyNode: unknown, value: unknown): void {
    const section = keyText(keyNode);
    if (!sections.includes(section)) {
      this.#fault(keyNode, section, `is not a known section; ${suggestForSection(section)}`);
      return;
    }
    const node = this.#resolve(value);
    if (isMap(node)) this.#readKeys(section, node.items);
    else if (!isNothing(node))
      this.#fault(keyNode, section, "must contain keys, one a line and indented");
  }

  #readKeys(prefix: string, items: readonly { key: unknown; value: unknown }[]): void {
    for (const { key: keyNode, value } of items) {
      const path = `${prefix}.${keyText(keyNode)}`;
      const node = this.#resolve(value);
      const isGroup = knownSettings.some((known) => known.path.startsWith(`${path}.`));
      if (knownByPath.has(path)) {
        this.#readValue(path, keyNode, node);
      } else if (!isGroup) {
        this.#fault(keyNode, path, `is not a known key; ${suggestForKey(path)}`);
      } else if (isMap(node)) {
        this.#readKeys(path, node.items);
      } else if (!isNothing(node)) {
        this.#fault(keyNode, path, "must contain keys, one a line and indented");
      }
    }
  }

  #readValue(path: string, keyNode: unknown, node: unknown): void {
    if (isNothing(node) || this.#isUnset(path, node)) return;
    const earlier = this.#values.get(path);
    if (earlier !== undefined) {
      this.#fault(keyNode, path, "is given a second time");
      return;
    }
    const raw = this.#rawValue(path, node);
    if (raw === null) {
      this.#fault(
        keyNode,
        path,
        "holds an alias that cannot be resolved; put values that begin with * in quotes",
      );
      return;
    }
    if (holdsVariable(raw)) {
      const name = environmentName(path);
      this.#fault(
        keyNode,
        path,
        `holds a variable (\${…}), and none are replaced here; set ${name} or ${name}_FILE in the environment instead`,
      );
      return;
    }
    const line = this.#line(keyNode);
    this.#values.set(path, { path, raw, origin: { source: "file", path: this.#shownPath, line } });
  }

  /** Empty text is a value only where the default is a text, as in a prefix; elsewhere it is "none". */
  #isUnset(path: string, node: unknown): boolean {
    return isScalar(node) && node.value === "" && knownByPath.get(path)?.setting.default === null;
  }

  /** null for an alias without an anchor. */
  #rawValue(path: string, node: unknown): RawValue | null {
    if (isScalar(node)) return { type: "text", text: scalarText(node) };
    if (knownByPath.get(path)?.setting.kind === "list" && isSeq(node)) {
      const items = node.items.map((item) => this.#resolve(item));
      if (items.every(isScalar)) return { type: "items", items: items.map(scalarText) };
    }
    if (!isMap(node) && !isSeq(node)) return null;
    try {
      return {
        type: "structure",
        value: node.toJS(this.#document, { maxAliasCount: 100 }) as unknown,
      };
    } catch {
      // Unresolved aliases, and those that would multiply the file beyond measure.
      return null;
    }
  }

  /** What an alias stands for; undefined if for nothing. */
  #resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  #line(node: unknown): number {
    const offset = isScalar(node) || isMap(node) || isSeq(node) ? node.range?.[0] : undefined;
    return this.#lines.linePos(offset ?? 0).line;
  }

  #fault(node: unknown, path: string, message: string): void {
    const where = `${this.#shownPath} line ${this.#line(node)}`;
    this.#faults.push(path === "" ? `${where}: ${message}` : `${path} (${where}): ${message}`);
  }
}

/** `key:` without a value, `null` and `~`. An unresolved alias is not nothing. */
function isNothing(node: unknown): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

/** The text as written: YAML would read 007 as 7 and 1e3 as 1000, but it may be a password. */
function scalarText(node: { value: unknown; source?: string }): string {
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
}

function keyText(node: unknown): string {
  return isScalar(node) ? scalarText(node) : String(node);
}

/** `${NAME}` as other programs replace it. In a structure only as a whole: texts for models may have some in them. */
function holdsVariable(raw: RawValue): boolean {
  switch (raw.type) {
    case "text":
      return variable.test(raw.text) || isPlaceholder(raw.text);
    case "items":
      return raw.items.some((item) => variable.test(item) || isPlaceholder(item));
    case "structure":
      return wholeVariable.test(JSON.stringify(raw.value));
  }
}
