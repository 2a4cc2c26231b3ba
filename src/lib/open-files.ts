import { readFileSync } from "node:fs";

/** How many files and connections this process may have open; null where the system does not say. */
export function maxOpenFiles(): number | null {
  // Node has raised it to the hard limit when it started.
  const soft = /^Max open files +(\S+)/m.exec(read("/proc/self/limits"))?.[1];
  if (soft === "unlimited") return Infinity;
  return soft === undefined ? null : Number(soft);
}

/** How many connections may wait to be taken, whatever a program asks for; null where the system does not say. */
export function maxWaitingConnections(): number | null {
  return Number(read("/proc/sys/net/core/somaxconn")) || null;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
