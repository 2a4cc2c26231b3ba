import type { ChildProcess } from "node:child_process";

/** Signals a child that leads a process group of its own (`detached`), and all its children with it. */
export function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // It has ended: nothing is left to signal.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") child.kill(signal);
  }
}
