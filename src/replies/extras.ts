import type { AgentSource } from "../agents/agent-backend.ts";
import { cleanText } from "../lib/clean-text.ts";

/** What a reply's text rests on, as messages show it: at least one of the members. */
export type Source = AgentSource;

/** What an agent tells with its text, kept with the message. */
export interface Extras {
  readonly sources?: readonly Source[];
  /** What the user might say next. */
  readonly suggestions?: readonly string[];
}

export const noExtras: Extras = Object.freeze({});

/** Of one message; all that comes after them is neither kept nor told. */
const maxSources = 50;
const maxTitleLength = 300;
const maxUrlLength = 2_048;
const maxExcerptLength = 500;
const maxSuggestions = 10;
const maxSuggestionLength = 300;

/** With those that are new. */
export function withSources(
  extras: Extras,
  given: readonly AgentSource[],
): { readonly extras: Extras; readonly added: readonly Source[] } {
  const known = new Set((extras.sources ?? []).map(keyOf));
  const added: Source[] = [];
  for (const each of given) {
    if (known.size >= maxSources) break;
    const source = bounded(each);
    if (source === null || known.has(keyOf(source))) continue;
    known.add(keyOf(source));
    added.push(source);
  }
  if (added.length === 0) return { extras, added };
  return { extras: { ...extras, sources: [...(extras.sources ?? []), ...added] }, added };
}

/** With these in place of earlier ones. */
export function withSuggestions(extras: Extras, given: readonly string[]): Extras {
  const suggestions = given
    .flatMap((each) => shortened(each, maxSuggestionLength) ?? [])
    .slice(0, maxSuggestions);
  if (suggestions.length === 0) return extras;
  return { ...extras, suggestions: [...new Set(suggestions)] };
}

/** Of a message and of a snapshot. */
export function wireExtras(extras: Extras | null): { sources?: Source[]; suggestions?: string[] } {
  const { sources, suggestions } = extras ?? noExtras;
  return {
    ...(sources && { sources: [...sources] }),
    ...(suggestions && { suggestions: [...suggestions] }),
  };
}

/** As they may be stored, of a file that anybody can have written. */
export function boundedExtras(extras: Extras | null): Extras | null {
  const { sources = [], suggestions = [] } = extras ?? noExtras;
  return extrasOrNull(withSuggestions(withSources(noExtras, sources).extras, suggestions));
}

/** For a column: null when there is nothing. */
export function extrasOrNull(extras: Extras | undefined): Extras | null {
  return extras === undefined || Object.keys(extras).length === 0 ? null : extras;
}

/** A page is one source however often it is cited; of a document each place is. */
function keyOf({ url, title, excerpt }: Source): string {
  return url ?? JSON.stringify([title, excerpt]);
}

function bounded({ title, url, excerpt }: AgentSource): Source | null {
  const name = shortened(title, maxTitleLength);
  const address = webAddress(url);
  const words = shortened(excerpt, maxExcerptLength);
  if (name === undefined && address === undefined && words === undefined) return null;
  return {
    ...(name !== undefined && { title: name }),
    ...(address !== undefined && { url: address }),
    ...(words !== undefined && { excerpt: words }),
  };
}

function shortened(text: string | undefined, maxLength: number): string | undefined {
  const trimmed = cleanText((text ?? "").slice(0, 2 * maxLength)).trim();
  if (trimmed === "") return undefined;
  return trimmed.length > maxLength ? `${cleanText(trimmed.slice(0, maxLength - 1))}…` : trimmed;
}

/** It becomes a link: nothing but pages, and a half of an address leads nowhere. */
function webAddress(url: string | undefined): string | undefined {
  if (url === undefined || url.length > maxUrlLength || !URL.canParse(url)) return undefined;
  return /^https?:$/.test(new URL(url).protocol) ? url : undefined;
}
