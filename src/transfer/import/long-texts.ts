import { randomUUID } from "node:crypto";
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";

/** Texts that are too long to be held while a conversation is read: files, mostly. They lie on disk meanwhile. */
export interface LongTexts extends Disposable {
  /** What stands for the text from now on. */
  putAside(text: string): string;
  /** With every text that was put aside in its place again. */
  whole(text: string): string;
  /** The same for all texts of a value. */
  wholeValue<T>(value: T): T;
  /** With a mark of omission in their place. */
  shortened<T>(value: T): T;
  forget(): void;
}

/** No JSON text of people begins like this, and nobody can guess what follows. */
const mark = "\u0001";

export function isAside(text: string): boolean {
  return text.startsWith(mark);
}

/** In a new file at `path`, which whoever made the directory removes. */
export function createLongTexts(path: string): LongTexts {
  const file = openSync(path, "wx+", 0o600);
  const secret = randomUUID();
  const stands = new RegExp(`${mark}${secret}:(\\d+):(\\d+)${mark}`, "g");
  let end = 0;

  const read = (_match: string, offset: string, length: string) => {
    const bytes = Buffer.alloc(Number(length));
    readSync(file, bytes, 0, bytes.length, Number(offset));
    return bytes.toString("utf8");
  };
  const mapped = <T>(value: T, change: (text: string) => string): T => {
    if (typeof value === "string") return change(value) as T;
    if (Array.isArray(value)) return value.map((each: unknown) => mapped(each, change)) as T;
    if (typeof value !== "object" || value === null || value instanceof Date) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [name, mapped(member as unknown, change)]),
    ) as T;
  };
  return {
    putAside(text) {
      const bytes = Buffer.from(text);
      // A disk that is nearly full takes a part.
      for (let done = 0; done < bytes.length;) {
        done += writeSync(file, bytes, done, bytes.length - done, end + done);
      }
      end += bytes.length;
      return `${mark}${secret}:${end - bytes.length}:${bytes.length}${mark}`;
    },
    whole: (text) => text.replaceAll(stands, read),
    wholeValue: (value) => mapped(value, (text) => text.replaceAll(stands, read)),
    shortened: (value) => mapped(value, (text) => text.replaceAll(stands, "…")),
    forget() {
      end = 0;
      ftruncateSync(file);
    },
    [Symbol.dispose]: () => closeSync(file),
  };
}
