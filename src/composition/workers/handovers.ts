import type { Worker } from "node:cluster";

/** A connection as the process that keeps the port hands it on; below 0: it is closed here. */
interface Connection {
  readonly fd: number;
  close(): void;
}

/**
 * The connections on their way to a worker. Node closes each one here when the worker has said that it has it, and waits for
 * that without end where the worker has died: its client would wait too. `cut` lets clients ask again.
 */
export function watchHandovers({ process: child }: Worker): { cut(): void } {
  let handed: Connection[] = [];
  // What could not be started has no such thing.
  const send = child.send as ((...args: readonly unknown[]) => boolean) | undefined;
  const watched = (...args: readonly unknown[]) => {
    const [, handle] = args;
    if (isConnection(handle)) handed = [...handed.filter(isOpen), handle];
    return send?.apply(child, args as unknown[]) ?? false;
  };
  if (send !== undefined) child.send = watched;
  return {
    cut() {
      for (const connection of handed.filter(isOpen)) connection.close();
      handed = [];
    },
  };
}

function isConnection(handle: unknown): handle is Connection {
  return typeof handle === "object" && handle !== null && "fd" in handle && "close" in handle;
}

function isOpen({ fd }: Connection): boolean {
  return fd >= 0;
}
