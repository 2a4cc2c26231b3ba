/**
 * Files that belong to drafts and to messages not confirmed yet, kept by the browser until they are dropped. What
 * storage cannot keep (it is off or full) holds until the next reload.
 */
const inMemory = new Map<string, readonly File[]>();
/** What is on its way into the store, by places. */
const keeping = new Map<string, Promise<void>>();

const databaseName = "chat-service";
const storeName = "files";
/** What nobody has dropped until then is left over from a page that was closed at the wrong moment. */
const maxAgeMs = 7 * 86_400_000;

interface Kept {
  readonly files: readonly File[];
  readonly savedMs: number;
}

let opened: Promise<IDBDatabase> | null = null;

function open(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(databaseName, 1);
    request.addEventListener("upgradeneeded", () => request.result.createObjectStore(storeName));
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(asError(request.error)));
    request.addEventListener("blocked", () => reject(new Error("The file storage is in use")));
  });
  return opened;
}

async function inStore<T>(
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const transaction = (await open()).transaction(storeName, mode);
  return new Promise((resolve, reject) => {
    transaction.addEventListener("abort", () => reject(asError(transaction.error)));
    transaction.addEventListener("error", () => reject(asError(transaction.error)));
    try {
      const request = work(transaction.objectStore(storeName));
      transaction.addEventListener("complete", () => resolve(request.result));
    } catch (error) {
      // Nothing of what was begun is to be done.
      transaction.abort();
      throw error;
    }
  });
}

function asError(error: DOMException | null): Error {
  return error ?? new Error("The file storage failed");
}

/** Resolves when they outlive the page; at once where nothing can. None removes what is kept there. */
export async function keepFiles(place: string, files: readonly File[]): Promise<void> {
  if (files.length === 0) return dropFiles(place);
  inMemory.set(place, files);
  const kept: Kept = { files, savedMs: Date.now() };
  const work = inStore("readwrite", (store) => store.put(kept, place)).then(
    () => undefined,
    () => undefined,
  );
  keeping.set(place, work);
  await work;
  if (keeping.get(place) === work) keeping.delete(place);
}

/** Once they outlive the page, if they are only now being kept. */
export async function readFiles(place: string): Promise<readonly File[]> {
  await keeping.get(place);
  const known = inMemory.get(place);
  if (known !== undefined) return known;
  const kept = await inStore<Kept | undefined>("readonly", (store) => store.get(place)).catch(
    () => undefined,
  );
  return kept?.files ?? [];
}

export async function dropFiles(place: string): Promise<void> {
  inMemory.delete(place);
  await inStore("readwrite", (store) => store.delete(place)).catch(() => undefined);
}

export async function dropAllFiles(): Promise<void> {
  inMemory.clear();
  await inStore("readwrite", (store) => store.clear()).catch(() => undefined);
}

/** Removes what was forgotten. */
export async function tidyFiles(): Promise<void> {
  const places = await inStore("readonly", (store) => store.getAllKeys()).catch(() => []);
  for (const place of places) {
    const kept = await inStore<Kept | undefined>("readonly", (store) => store.get(place)).catch(
      () => undefined,
    );
    if (kept !== undefined && Date.now() - kept.savedMs > maxAgeMs) await dropFiles(String(place));
  }
}
