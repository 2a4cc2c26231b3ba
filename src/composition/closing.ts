import type { Logger } from "../telemetry/logger.ts";

/**
 * What has been opened, to be closed in reverse order. Each part is registered where it is opened; one that cannot be
 * closed is told in the log and keeps none of the others open.
 */
export interface Closing {
  add(name: string, close: () => unknown): void;
  /** Resolves when everything has been closed, or tried. May be called twice. */
  close(): Promise<void>;
}

export function createClosing(logger: Logger): Closing {
  const opened: { readonly name: string; readonly close: () => unknown }[] = [];
  let closing: Promise<void> | undefined;
  const closeAll = async () => {
    for (let part = opened.pop(); part !== undefined; part = opened.pop()) {
      try {
        await part.close();
      } catch (error) {
        logger.error({ part: part.name, err: error }, "a part could not be closed");
      }
    }
  };
  return {
    add(name, close) {
      opened.push({ name, close });
    },
    close: () => (closing ??= closeAll()),
  };
}
