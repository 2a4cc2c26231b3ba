import type { Config } from "../config/settings.ts";
import type { Explanation } from "../problems/start-fault.ts";

/** All who watch come back at once when a service has been started again: so many may wait to be taken. */
export const listenBacklog = 4_096;

/** Requests that come and go, peers, log and database files. */
const others = 1_000;

/** How many files and connections one process may come to have open, by its limits. */
function neededFiles({ limits, database }: Config): number {
  const viewers = limits.max_viewers;
  return (
    viewers + limits.max_concurrent_replies + database.pool_size + database.max_overflow + others
  );
}

/** Null where as many streams may be open as `limits.max_viewers` says; a process that can open no more refuses everybody. */
export function explainOpenFiles(config: Config, most: number | null): Explanation | null {
  const needed = neededFiles(config);
  if (most === null || most >= needed) return null;
  return {
    found: `a process may have ${most} files and connections open (ulimit -n), but limits.max_viewers of ${config.limits.max_viewers} streams needs ${needed}`,
    remedy: `Raise it (LimitNOFILE=${needed} in a systemd unit, --ulimit nofile=${needed} for a container, ulimit -Hn in a shell), or lower LIMITS_MAX_VIEWERS`,
  };
}

/** Null where those who come back at once have room to wait. */
export function explainBacklog(most: number | null): Explanation | null {
  if (most === null || most >= listenBacklog) return null;
  return {
    found: `only ${most} connections may wait to be taken: when many come at once, some wait for seconds`,
    remedy: `sysctl -w net.core.somaxconn=${listenBacklog}, and in /etc/sysctl.d; for a container --sysctl`,
  };
}
