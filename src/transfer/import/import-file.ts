import { join } from "node:path";
import type { Language } from "../../problems/catalogue.ts";
import { Problem } from "../../problems/problem.ts";
import { openUpload } from "./archive.ts";
import { ImportFault } from "./conversation.ts";
import { createLongTexts } from "./long-texts.ts";
import { readConversations, type ReadConversation } from "./read-conversations.ts";
import { createReadFile } from "./read-file.ts";
import { storeConversation, type Reading, type StoreParts } from "./store-conversation.ts";

export interface ImportParts extends StoreParts {
  /** Those that there are now. */
  readonly agents: () => Promise<Reading["agentOf"]>;
  readonly limits: { readonly maxImportBytes: number; readonly maxFileBytes: number };
}

/** What became of one conversation of a file. */
export interface ImportedConversation {
  /** Null: it says none. */
  readonly sourceId: string | null;
  readonly source: string | null;
  readonly title: string | null;
  readonly status: "imported" | "updated" | "skipped" | "failed";
  readonly sessionId: string | null;
  /** Stored now. */
  readonly messages: number;
  /** Why it failed, in both languages. */
  readonly error: Readonly<Record<Language, string>> | null;
}

/** Base64 takes four bytes for three; and there are texts that are no files. */
const leastTextBytes = 32 * 1024 * 1024;

/**
 * Imports the conversations of a file for a user, one after the other, each of them whole or not at all. First the file is
 * read to its end: of one that is broken anywhere, nothing is stored. `directory` is for what has to lie on disk meanwhile.
 * Raises `import_failed`, and whatever keeps all from being stored.
 */
export async function* importFile(
  parts: ImportParts,
  userId: string,
  { path, directory }: { readonly path: string; readonly directory: string },
  signal: AbortSignal,
): AsyncGenerator<ImportedConversation> {
  const { maxImportBytes, maxFileBytes } = parts.limits;
  const maxTextBytes = Math.max(leastTextBytes, Math.ceil((maxFileBytes * 4) / 3) + 1024);
  try {
    await using upload = await openUpload(path, maxImportBytes);
    using texts = createLongTexts(join(directory, "texts"));
    await check(readConversations(upload, { ...texts, putAside: () => "" }, maxTextBytes), signal);
    const agentOf = await parts.agents();
    const readFile = createReadFile(upload, texts, maxFileBytes);
    for await (const read of readConversations(upload, texts, maxTextBytes)) {
      signal.throwIfAborted();
      yield await importOne(parts, userId, read, { texts, readFile, agentOf });
    }
  } catch (error) {
    if (!(error instanceof ImportFault)) throw error;
    throw failed(error);
  }
}

/** To the end, and whether any of it can be taken. */
async function check(
  conversations: AsyncIterable<ReadConversation>,
  signal: AbortSignal,
): Promise<void> {
  let first: ImportFault | null = null;
  let isAnyGood = false;
  for await (const read of conversations) {
    signal.throwIfAborted();
    if ("fault" in read) first ??= read.fault;
    else isAnyGood = true;
  }
  if (isAnyGood) return;
  throw first ?? new ImportFault("There are no conversations in the file.", "文件中没有对话。");
}

async function importOne(
  parts: ImportParts,
  userId: string,
  read: ReadConversation,
  reading: Reading,
): Promise<ImportedConversation> {
  if ("fault" in read) {
    const { sourceId, title, fault } = read;
    return { ...nothing, sourceId, title, error: { en: fault.message, zh: fault.zh } };
  }
  const { conversation, arranged } = read;
  const { id: sourceId, source, title } = conversation;
  try {
    const stored = await storeConversation(parts, userId, conversation, arranged, reading);
    return { sourceId, source, title, error: null, ...stored };
  } catch (error) {
    return { ...nothing, sourceId, source, title, error: textsOf(error) };
  }
}

const nothing = { source: null, status: "failed", sessionId: null, messages: 0 } as const;

/** Of what concerns this conversation alone; anything else goes on. */
function textsOf(error: unknown): Readonly<Record<Language, string>> {
  if (error instanceof ImportFault) return { en: error.message, zh: error.zh };
  if (error instanceof Problem && !error.isOutage && error.status < 500) {
    return { en: error.text("en"), zh: error.text("zh") };
  }
  throw error;
}

function failed(fault: ImportFault): Problem {
  return new Problem("import_failed", { en: fault.message, zh: fault.zh }, { cause: fault });
}
