import type { Agent } from "../api/types.ts";
import { currentTexts } from "../text/use-texts.ts";
import { acceptedTypes, chooseFiles, type FileLimits, type Refusal } from "./attachable.ts";
import { addressedAgent, agents, chosenAgent, serviceConfig } from "./catalogue.ts";
import { conversation } from "./conversation.ts";
import { dropAllFiles, keepFiles, moveFiles, readFiles } from "./kept-files.ts";
import { dismiss, notify } from "./notices.ts";
import { savedNames, writeSaved } from "./saved.ts";
import { createStore } from "./store.ts";

/** What goes with the message that is being written. */
export const draftFiles = createStore<readonly File[]>([]);

let place = "draft.new";

function setFiles(files: readonly File[]): void {
  draftFiles.set(files);
  void keepFiles(place, files);
}

/** The files of the message that is being written there. */
export async function openDraftFiles(newPlace: string): Promise<void> {
  place = newPlace;
  draftFiles.set([]);
  const files = await readFiles(newPlace);
  if (place === newPlace && draftFiles.get().length === 0) draftFiles.set(files);
}

/** The same draft goes by another name from now on. */
export function moveDraftFiles(newPlace: string): void {
  void moveFiles(place, newPlace, draftFiles.get());
  place = newPlace;
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
 * Hands the files over to where they are kept next, unless the agent (it may be another one by now) does not take them:
 * null, and says so.
 */
export function takeDraftFiles(newPlace: string): readonly File[] | null {
  const files = draftFiles.get();
  const agent = currentAgent();
  const { refused } = chooseFiles(files, [], acceptedTypes(agent), fileLimits());
  tell(refused, agent);
  if (refused.length > 0) return null;
  draftFiles.set([]);
  void moveFiles(place, newPlace, files);
  return files;
}

/** Removes everything that was written and not sent from this browser. */
export function forgetDrafts(): void {
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
