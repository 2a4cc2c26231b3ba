import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { openPromise, type Entry, type ZipFile } from "yauzl";
import { ImportFault } from "./conversation.ts";

/** What was sent: JSON, or an archive with JSON and files in it. */
export interface Upload extends AsyncDisposable {
  /** Each time from the beginning. */
  readonly texts: readonly (() => AsyncIterable<Uint8Array>)[];
  /** The file whose name begins with this; null when there is none. Raises ImportFault for one that is too large. */
  file(beginning: string, maxBytes: number): Promise<{ name: string; bytes: Buffer } | null>;
}

const maxEntries = 100_000;
/** Beside the conversations in an archive of ChatGPT's. */
const others =
  /^(?:user|user_settings|message_feedback|model_comparisons|shared_conversations|group_chats|shopping|sora|tool_messages|export_manifest)\.json$/i;

/** Raises ImportFault for an archive that is broken, or would become larger than `maxBytes`. */
export async function openUpload(path: string, maxBytes: number): Promise<Upload> {
  if (!(await isZip(path))) {
    return {
      texts: [() => createReadStream(path)],
      file: async () => null,
      [Symbol.asyncDispose]: async () => {},
    };
  }
  const archive = await inArchive(() => openPromise(path, { lazyEntries: true, autoClose: false }));
  try {
    return await readArchive(archive, maxBytes);
  } catch (error) {
    archive.close();
    throw error;
  }
}

async function readArchive(archive: ZipFile, maxBytes: number): Promise<Upload> {
  if (archive.entryCount > maxEntries) throw broken(new Error(`more than ${maxEntries} files`));
  const entries: Entry[] = [];
  await inArchive(async () => {
    for await (const entry of archive.eachEntry()) {
      // Those of other systems beside each file.
      if (!/(?:^|\/)(?:__MACOSX\/|\.)/.test(entry.fileName)) entries.push(entry);
    }
  });
  const json = entries.filter(({ fileName }) => /\.(?:json|jsonl|ndjson)$/i.test(fileName));
  const named = json.filter(({ fileName }) => /^conversations.*\.json$/i.test(basename(fileName)));
  const chosen = named.length > 0 ? named : json.filter((entry) => !isOther(entry));
  if (chosen.length === 0) {
    throw new ImportFault(
      "The archive holds no conversations: there is no JSON file in it.",
      "压缩包中没有对话：未找到 JSON 文件。",
    );
  }
  const size = chosen.reduce((sum, { uncompressedSize }) => sum + uncompressedSize, 0);
  if (size > maxBytes) {
    const room = Math.floor(maxBytes / 1024 / 1024);
    throw new ImportFault(
      `Unpacked, the archive is larger than ${room} MiB (limits.max_import_size). Import its parts.`,
      `压缩包解压后超过 ${room} MiB（limits.max_import_size）。请分批导入。`,
    );
  }
  const byName = new Map(entries.map((entry) => [basename(entry.fileName), entry]));
  const names = [...byName.keys()].sort();
  return {
    texts: chosen
      .sort((a, b) => (a.fileName < b.fileName ? -1 : 1))
      .map((entry) => () => unpacked(archive, entry)),
    async file(beginning, limit) {
      const name = firstFrom(names, beginning);
      const entry = name?.startsWith(beginning) === true ? byName.get(name) : undefined;
      if (name === undefined || entry === undefined) return null;
      if (entry.uncompressedSize > limit) throw fileTooLarge(name, limit);
      const chunks: Uint8Array[] = [];
      for await (const chunk of unpacked(archive, entry)) chunks.push(chunk);
      return { name, bytes: Buffer.concat(chunks) };
    },
    async [Symbol.asyncDispose]() {
      archive.close();
    },
  };
}

export function fileTooLarge(name: string, maxBytes: number): ImportFault {
  const room = Math.floor(maxBytes / 1024 / 1024);
  return new ImportFault(
    `The file ${name.slice(0, 100)} is larger than ${room} MiB (limits.max_upload_size).`,
    `文件 ${name.slice(0, 100)} 超过 ${room} MiB（limits.max_upload_size）。`,
  );
}

/** The library sees to it that no entry becomes larger than it says. */
async function* unpacked(archive: ZipFile, entry: Entry): AsyncGenerator<Uint8Array> {
  const stream = await inArchive(() => archive.openReadStreamPromise(entry));
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw broken(error);
  } finally {
    stream.destroy();
  }
}

/** The first name that is not before this one. */
function firstFrom(names: readonly string[], wanted: string): string | undefined {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((names[middle] ?? "") < wanted) low = middle + 1;
    else high = middle;
  }
  return names[low];
}

async function isZip(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
  return buffer.toString("latin1") === "PK\u0003\u0004";
}

async function inArchive<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw broken(error);
  }
}

function broken(cause: unknown): ImportFault {
  const why = cause instanceof Error ? cause.message.slice(0, 200) : "";
  return new ImportFault(
    `The archive cannot be read: ${why}. Take it from its source again.`,
    `无法读取压缩包：${why}。请从来源处重新下载。`,
    { cause },
  );
}

function isOther({ fileName }: Entry): boolean {
  return others.test(basename(fileName));
}
