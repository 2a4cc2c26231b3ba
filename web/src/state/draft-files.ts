import type { Agent } from "../api/types.ts";
import { currentTexts } from "../text/use-texts.ts";
import { acceptedTypes, chooseFiles, type FileLimits, type Refusal } from "./attachable.ts";
import { addressedAgent, agents, chosenAgent, serviceConfig } from "./catalogue.ts";
import { conversation } from "./conversation.ts";
import { dropAllFiles, keepFiles, readFiles } from "./kept-files.ts";
import { dismiss, notify } from "./notices.ts";
import { readSaved, savedNames, writeSaved } from "./saved.ts";
import { createStore } from "./store.ts";

/** What goes with the message that is being written. */
export const draftFiles = createStore<readonly File[]>([]);

/** Files that belong to a message now, and where they are kept. */
export interface TakenFiles {
  readonly files: readonly File[];
  readonly place: string | null;
}

let draft = "draft.new";
/** Where the files of drafts are kept, where the browser does not remember it. */
const unsaved = new Map<string, string>();
/** Where those shown are kept; null: nowhere yet. Whoever sends them leaves them there. */
let place: string | null = null;

function placeOf(name: string): string | null {
  const saved = unsaved.get(name) ?? readSaved(`${name}.files`);
  return typeof saved === "string" ? saved : null;
}

function notePlace(name: string, at: string | null): void {
  const isSaved = writeSaved(`${name}.files`, at);
  if (isSaved || at === null) unsaved.delete(name);
  else unsaved.set(name, at);
}

/** The draft's place, if it is still the draft's: another tab may have sent it, and then has the files there. */
function ownPlace(): string | null {
  return place !== null && placeOf(draft) === place ? place : null;
}

function setFiles(files: readonly File[]): void {
  draftFiles.set(files);
  place = ownPlace() ?? `files.${crypto.randomUUID()}`;
  notePlace(draft, files.length === 0 ? null : place);
  void keepFiles(place, files);
}

/** The files of the message that is being written there. */
export async function openDraftFiles(name: string): Promise<void> {
  draft = name;
  place = placeOf(name);
  draftFiles.set([]);
  if (place === null) return;
  const opened = place;
  const files = await readFiles(opened);
  if (place === opened && draftFiles.get().length === 0) draftFiles.set(files);
}

/** The same draft goes by another name from now on. */
export function moveDraftFiles(name: string): void {
  const own = ownPlace();
  if (own !== null) {
    notePlace(name, own);
    notePlace(draft, null);
  }
  draft = name;
}

/** What was written for a conversation that is gone goes to the next one, before what is begun there. */
export function carryDraft(sessionId: string): void {
  const [from, to] = [`draft.${sessionId}`, "draft.new"];
  const texts = [readSaved(from), readSaved(to)].filter((text) => typeof text === "string");
  writeSaved(to, texts.join("\n\n") || null);
  writeSaved(from, null);
  const files = placeOf(from);
  if (files === null || placeOf(to) !== null) return;
  notePlace(to, files);
  notePlace(from, null);
}

/** Adds what the agent and the service take, and says what they do not. */
export function attachFiles(files: readonly File[]): void {
  const present = draftFiles.get();
  const agent = currentAgent();
  const { taken, refused } = chooseFiles(files, present, acceptedTypes(agent), fileLimits());
  tell(refused, agent);
  if (taken.length > 0) setFiles([...present, ...taken]);
}

export function detachFile(file: File): void {
  setFiles(draftFiles.get().filter((each) => each !== file));
}

/**
 * Hands the files over as they lie, unless the agent (it may be another one by now) does not take them: null, and says
 * so. They stay at their place, so that there is no moment at which they are on their way.
 */
export function takeDraftFiles(): TakenFiles | null {
  const files = draftFiles.get();
  const agent = currentAgent();
  const { refused } = chooseFiles(files, [], acceptedTypes(agent), fileLimits());
  tell(refused, agent);
  if (refused.length > 0) return null;
  // Another tab has sent them as well: these are others.
  if (files.length > 0 && ownPlace() === null) setFiles(files);
  const taken = { files, place: files.length === 0 ? null : ownPlace() };
  if (taken.place !== null) notePlace(draft, null);
  place = null;
  draftFiles.set([]);
  return taken;
}

/** Removes everything that was written and not sent from this browser. */
export function forgetDrafts(): void {
  unsaved.clear();
  place = null;
  for (const name of savedNames("draft.")) writeSaved(name, null);
  draftFiles.set([]);
  void dropAllFiles();
}

/** Whom the message being written is for. */
export function currentAgent(): Agent | null {
  return addressedAgent(agents.get(), conversation.get().session, chosenAgent.get());
}

const defaultMaxFiles = 10;
const defaultMaxBytes = 10 * 1024 ** 2;

function fileLimits(): FileLimits {
  const limits = serviceConfig.get()?.limits ?? {};
  return {
    maxFiles: limits["max_attachments"] ?? defaultMaxFiles,
    maxBytes: limits["max_upload_bytes"] ?? defaultMaxBytes,
  };
}

/** What was said of the files before is of no interest any more. */
let told: readonly string[] = [];

function tell(refused: readonly Refusal[], agent: Agent | null): void {
  const { files: texts } = currentTexts();
  const agentName = agent?.name ?? "";
  const { maxFiles, maxBytes } = fileLimits();
  const words: Record<Refusal["reason"], (name: string) => string> = {
    none: () => texts.takesNone(agentName),
    kind: (name) => texts.takesNotThis(agentName, name),
    empty: texts.empty,
    tooMany: () => texts.tooMany(maxFiles),
    tooLarge: (name) => texts.tooLarge(name, fileSize(maxBytes)),
  };
  const notes = new Set(refused.map(({ reason, name }) => words[reason](name)));
  for (const id of told) dismiss(id);
  told = [...notes].slice(0, 3).map((text) => notify({ kind: "error", text }));
}

/** For people: 840 B, 12 kB, 3.4 MB. */
export function fileSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
