import type { Explanation } from "./start-fault.ts";

/** Why a file or directory cannot be used; null for what is no fault of the file system. */
export function explainFile(error: unknown, path: string, setting: string): Explanation | null {
  const { code } = error as NodeJS.ErrnoException;
  const elsewhere = `set ${setting} to another place`;
  const own = `chown -R "$(id -u)" ${path}, or ${elsewhere}`;
  const known: Readonly<Record<string, readonly [string, string]>> = {
    EACCES: ["cannot be written by this user", own],
    EPERM: ["cannot be written by this user", own],
    EROFS: ["is on a read-only file system", `Mount it writable, or ${elsewhere}`],
    ENOENT: ["cannot be made there", `S${elsewhere.slice(1)}`],
    EEXIST: ["is a file, not a directory", `Move it away, or ${elsewhere}`],
    ENOTDIR: ["leads through a file, not a directory", `Move it away, or ${elsewhere}`],
    EISDIR: ["is a directory, not a file", `S${elsewhere.slice(1)}`],
    ENOSPC: ["is on a disk that is full", `Free some space, or ${elsewhere}`],
    EDQUOT: ["is beyond this user's quota", `Free some space, or ${elsewhere}`],
    EMFILE: ["cannot be opened: too many open files", "Raise the limit (ulimit -n)"],
    EIO: ["cannot be read: the disk answers with errors", "Look at the disk (dmesg)"],
    ELOOP: ["is a circle of links", `Mend the links, or ${elsewhere}`],
    ENAMETOOLONG: ["is too long a name", `S${elsewhere.slice(1)}`],
  };
  const [found, remedy] = (code === undefined ? undefined : known[code]) ?? [];
  if (found === undefined || remedy === undefined) return null;
  return { found: `${path} ${found} (${code})`, remedy };
}
