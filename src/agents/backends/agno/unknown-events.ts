import type { Logger } from "../../../telemetry/logger.ts";

/** Counts events that nothing is known about, and names each type in the log once. */
export interface UnknownEvents {
  readonly count: number;
  note(type: string): void;
}

/** Enough for any version; a server that makes up names is not followed. */
const maxTypes = 200;

export function createUnknownEvents(
  log: Logger,
  onUnknown: (type: string) => void = () => {},
): UnknownEvents {
  const types = new Set<string>();
  let count = 0;
  return {
    get count() {
      return count;
    },
    note(type) {
      count += 1;
      onUnknown(type);
      if (types.has(type) || types.size >= maxTypes) return;
      types.add(type);
      log.debug({ type: type.slice(0, 100) }, "unknown event from AgentOS");
    },
  };
}
