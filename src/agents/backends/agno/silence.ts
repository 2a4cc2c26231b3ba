import type { AgentOs } from "./agent-os.ts";
import { asCount, asText, type Wire } from "./wire.ts";
import { unwaited } from "../../../lib/unwaited.ts";

/** Somebody who says nothing, and whoever waits for a word of him. */
export interface Silence {
  /** After so long without an event it is looked whether there is still anybody; then again and again. */
  readonly timeoutMs: number;
  /** Whether an event is waited for: a slow reader is no silence. */
  readonly isWaiting: () => boolean;
  /** Told how long nothing has come. Never raises. */
  readonly look: (silentMs: number) => Promise<void>;
}

/** Hears of every event. Comments of the stream are none: AgentOS writes them for runs that are long dead too. */
export interface SilenceWatch {
  heard(): void;
  end(): void;
}

export function watchSilence({ timeoutMs, isWaiting, look }: Silence): SilenceWatch {
  let heardMs = performance.now();
  let looking = false;
  let over = false;
  const onTimeout = () => {
    if (!isWaiting()) heardMs = performance.now();
    const silentMs = performance.now() - heardMs;
    if (silentMs < timeoutMs || looking) return again();
    looking = true;
    unwaited(
      look(silentMs).finally(() => {
        looking = false;
        again();
      }),
    );
  };
  let timer = setTimeout(onTimeout, timeoutMs);

  function again(): void {
    clearTimeout(timer);
    if (over) return;
    const sinceMs = performance.now() - heardMs;
    timer = setTimeout(onTimeout, sinceMs < timeoutMs ? timeoutMs - sinceMs : timeoutMs);
  }

  return {
    // The timer is left as it is: it counts from here when it fires. Setting it for each token would cost more.
    heard: () => void (heardMs = performance.now()),
    end() {
      over = true;
      clearTimeout(timer);
    },
  };
}

/** What AgentOS says of a run of which nothing is heard. */
export type Sign =
  /** It is said to run. */
  | "runs"
  /** Its turn has not come. */
  | "waits"
  /** It has an end, or died with its server: the rest is to be had elsewhere, if at all. */
  | "over"
  /** It is not known. */
  | "unknown";

/** Raises when AgentOS cannot be asked. */
export async function signOf(
  stored: Wire | null,
  server: Pick<AgentOs, "identify">,
  signal: AbortSignal,
): Promise<Sign> {
  if (stored === null) return "unknown";
  const status = asText(stored["status"]);
  if (status !== "RUNNING" && status !== "PENDING") return "over";
  const { startedAt } = await server.identify(signal);
  if (diedWithServer(stored, startedAt)) return "over";
  return status === "PENDING" ? "waits" : "runs";
}

/** A run that is said to be running, by a server that was started after it, runs no more. */
export function diedWithServer(stored: Wire, serverStartedAt: number): boolean {
  const created = stored["created_at"];
  const runStartedAt =
    typeof created === "number"
      ? asCount(Math.floor(created))
      : Date.parse(asText(created) ?? "") / 1000;
  return runStartedAt > 0 && serverStartedAt > runStartedAt + 1;
}

/**
 * Whether the queue of a server that was started after the run will still do something about it: begin it again, or go on
 * with it on another node. What it does not tell is known when it has given the run up.
 */
export function isKept(queued: Wire | null, serverStartedAt: number): boolean {
  if (queued === null || queued["status"] === "queued") return true;
  if (queued["status"] !== "running") return false;
  const isLeft = asCount(queued["attempt"]) < asCount(queued["max_attempts"]);
  return isLeft || asCount(queued["locked_at"]) > serverStartedAt;
}
