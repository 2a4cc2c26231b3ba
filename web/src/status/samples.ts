import { client } from "../api/client.ts";
import { ApiError } from "../../../packages/client/src/index.ts";
import type { HealthReport, Metrics, Percentiles } from "../api/types.ts";
import { createStore } from "../state/store.ts";

/** What is drawn, at one moment. */
export interface Sample {
  /** Seconds since 1970. */
  readonly time: number;
  readonly messagesPerMinute: number;
  readonly running: number;
  readonly replyMs: Percentiles;
  readonly firstTokenMs: Percentiles;
  readonly errorsPerMinute: number;
  readonly memoryBytes: number;
}

interface StatusState {
  readonly health: HealthReport | null;
  readonly metrics: Metrics | null;
  readonly samples: readonly Sample[];
  readonly isReachable: boolean;
  /** A proxy keeps the details inside: all that is known is whether the node is ready. Null: they are shown. */
  readonly isReady: boolean | null;
  /** The service has no metrics to show. */
  readonly hasMetrics: boolean;
  readonly updatedMs: number | null;
}

export const serviceStatus = createStore<StatusState>({
  health: null,
  metrics: null,
  samples: [],
  isReachable: true,
  isReady: null,
  hasMetrics: true,
  updatedMs: null,
});

const intervalMs = 2_000;
/** Twenty minutes. */
const maxSamples = 600;

/** Watches the service for as long as the page is looked at. */
export function watchStatus(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = async () => {
    if (document.visibilityState === "visible") await look();
    if (timer !== undefined) timer = setTimeout(() => void watch(), intervalMs);
  };
  timer = setTimeout(() => void watch(), 0);
  return () => {
    clearTimeout(timer);
    timer = undefined;
  };
}

async function look(): Promise<void> {
  const [health, metrics] = await Promise.allSettled([
    ask<HealthReport>("/health/detailed"),
    ask<Metrics>("/health/metrics"),
  ]);
  const isHidden = health.status === "rejected" && health.reason instanceof ApiError;
  const isReady = isHidden ? await askReadiness() : null;
  const isMissing =
    metrics.status === "rejected" &&
    metrics.reason instanceof ApiError &&
    [401, 404].includes(metrics.reason.status);
  serviceStatus.set((status) => ({
    health: health.status === "fulfilled" ? health.value : isHidden ? null : status.health,
    isReady,
    metrics: metrics.status === "fulfilled" ? metrics.value : status.metrics,
    samples:
      metrics.status === "fulfilled"
        ? [...status.samples.slice(1 - maxSamples), sampleOf(metrics.value)]
        : status.samples,
    isReachable: health.status === "fulfilled" || isReady !== null,
    hasMetrics: !isMissing,
    updatedMs: health.status === "fulfilled" || isReady !== null ? Date.now() : status.updatedMs,
  }));
}

function ask<T>(path: string): Promise<T> {
  return client.request({ method: "GET", path }, { timeoutMs: 15_000 });
}

/** Null: nobody answers. */
async function askReadiness(): Promise<boolean | null> {
  try {
    return (await ask<{ readonly ready: boolean }>("/health/readiness")).ready;
  } catch (error) {
    return error instanceof ApiError ? false : null;
  }
}

function sampleOf(metrics: Metrics): Sample {
  return {
    time: Date.now() / 1000,
    messagesPerMinute: metrics.messages.per_minute,
    running: metrics.replies.running,
    replyMs: metrics.latency_ms.reply,
    firstTokenMs: metrics.latency_ms.time_to_first_token,
    errorsPerMinute: metrics.errors.per_minute,
    memoryBytes: metrics.system.memory_bytes.resident,
  };
}
