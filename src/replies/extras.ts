import { isDeepStrictEqual } from "node:util";
import { taskStatuses, type AgentSource, type AgentTask } from "../agents/agent-backend.ts";
import { cleanText } from "../lib/clean-text.ts";

export type Task = AgentTask;

/** As viewers and messages have it. */
export interface CustomEvent {
  readonly name: string;
  /** Absent: too large. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly agent_id: string;
}

/** What a reply's text rests on, as messages show it: at least one of the members. */
export type Source = AgentSource;

/** What an agent tells with its text, kept with the message. */
export interface Extras {
  readonly sources?: readonly Source[];
  /** What the user might say next. */
  readonly suggestions?: readonly string[];
  readonly tasks?: readonly Task[];
  readonly customEvents?: readonly CustomEvent[];
  /** Messages of the user that it has taken in, in their order. */
  readonly steered?: readonly SteeredAt[];
  /** Who has written it; where several have, the last. */
  readonly model?: string;
}

export interface SteeredAt {
  readonly message_id: string;
  /** Where in the text, in UTF-16 units. */
  readonly text_start: number;
}

export const noExtras: Extras = Object.freeze({});

/** Of one message; all that comes after them is neither kept nor told. */
const maxSources = 50;
const maxTitleLength = 300;
const maxUrlLength = 2_048;
const maxExcerptLength = 500;
const maxSuggestions = 10;
const maxSuggestionLength = 300;
const maxTasks = 50;
const maxTaskIdLength = 100;
const maxTaskTextLength = 300;
const maxCustomEvents = 100;
const maxCustomNameLength = 300;
/** As JSON, in UTF-16 units: of one, and of all of a message. */
const maxCustomLength = 8 * 1024;
const maxAllCustomLength = 64 * 1024;
const maxModelLength = 300;

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

/** With those that are new at the end, and those that are known as they are now. */
export function withTasks(extras: Extras, given: readonly AgentTask[]): Extras {
  const tasks = new Map((extras.tasks ?? []).map((task) => [task.id, task]));
  let isChanged = false;
  for (const each of given) {
    const task = boundedTask(each);
    if (task === null || (tasks.size >= maxTasks && !tasks.has(task.id))) continue;
    if (isDeepStrictEqual(tasks.get(task.id), task)) continue;
    tasks.set(task.id, task);
    isChanged = true;
  }
  return isChanged ? { ...extras, tasks: [...tasks.values()] } : extras;
}

/** With this one, unless it is known or there are too many; `added`: as it is kept. */
export function withCustomEvent(
  extras: Extras,
  given: CustomEvent,
): { readonly extras: Extras; readonly added: CustomEvent | null } {
  const known = extras.customEvents ?? [];
  const nothing = { extras, added: null };
  const name = shortened(given.name, maxCustomNameLength);
  if (name === undefined || known.length >= maxCustomEvents) return nothing;
  const isTooLarge = JSON.stringify(given.data ?? null).length > maxCustomLength;
  const added: CustomEvent = {
    name,
    ...(given.data !== undefined && !isTooLarge && { data: given.data }),
    agent_id: given.agent_id,
  };
  // A run that is taken up again repeats what it has told since it was stored.
  if (known.some((each) => isDeepStrictEqual(each, added))) return nothing;
  if (JSON.stringify([...known, added]).length > maxAllCustomLength) return nothing;
  return { extras: { ...extras, customEvents: [...known, added] }, added };
}

/** With one more, unless it is known. */
export function withSteered(extras: Extras, at: SteeredAt): Extras {
  const { steered = [] } = extras;
  if (steered.some(({ message_id: id }) => id === at.message_id)) return extras;
  return { ...extras, steered: [...steered, at] };
}

/** Written by this model, or by one that has not said its name. */
export function withModel(extras: Extras, given: string | undefined): Extras {
  const model = shortened(given, maxModelLength);
  return model === undefined || model === extras.model ? extras : { ...extras, model };
}

/** Of a message and of a snapshot. */
export function wireExtras(extras: Extras | null): {
  sources?: Source[];
  suggestions?: string[];
  steered?: SteeredAt[];
  tasks?: Task[];
  custom_events?: CustomEvent[];
  model?: string;
} {
  const { sources, suggestions, steered, tasks, customEvents, model } = extras ?? noExtras;
  return {
    ...(model !== undefined && { model }),
    ...(steered && { steered: [...steered] }),
    ...(sources && { sources: [...sources] }),
    ...(suggestions && { suggestions: [...suggestions] }),
    ...(tasks && { tasks: [...tasks] }),
    ...(customEvents && { custom_events: [...customEvents] }),
  };
}

/** As they may be stored, of a file that anybody can have written; ids of other messages mean nothing there. */
export function boundedExtras(extras: Extras | null): Extras | null {
  const {
    sources = [],
    suggestions = [],
    tasks = [],
    customEvents = [],
    model,
  } = extras ?? noExtras;
  const told = customEvents.reduce<Extras>(
    (all, event) => withCustomEvent(all, event).extras,
    withTasks(withSuggestions(withSources(noExtras, sources).extras, suggestions), tasks),
  );
  return extrasOrNull(withModel(told, model));
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

function boundedTask({ id, title, status, assignee }: AgentTask): Task | null {
  const name = shortened(title, maxTaskTextLength);
  if (id === "" || id.length > maxTaskIdLength || name === undefined) return null;
  const who = shortened(assignee, maxTaskTextLength);
  return {
    id: cleanText(id),
    title: name,
    status: taskStatuses.find((each) => each === status) ?? "pending",
    ...(who !== undefined && { assignee: who }),
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
