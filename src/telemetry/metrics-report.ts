import type { Counter, Gauge, Histogram } from "prom-client";
import type { Metrics } from "./metrics.ts";

/** Sums of counters and buckets at one moment. */
interface Sample {
  readonly atMs: number;
  readonly messages: number;
  readonly replies: number;
  readonly repliesFailed: number;
  readonly errors: number;
  readonly requests: number;
  readonly requestsFailed: number;
  readonly tokens: number;
  readonly requestBuckets: Buckets;
  readonly replyBuckets: Buckets;
  readonly firstTokenBuckets: Buckets;
}

/** Observations up to and including each bound, in seconds. */
type Buckets = ReadonlyMap<number, number>;

interface MetricsReportOptions {
  readonly metrics: Metrics;
  readonly sampleMs?: number;
  readonly windowMs?: number;
  /** A monotonic clock, for tests. */
  readonly now?: () => number;
}

export type MetricsReport = ReturnType<typeof createMetricsReport>;

const empty: Omit<Sample, "atMs"> = {
  messages: 0,
  replies: 0,
  repliesFailed: 0,
  errors: 0,
  requests: 0,
  requestsFailed: 0,
  tokens: 0,
  requestBuckets: new Map(),
  replyBuckets: new Map(),
  firstTokenBuckets: new Map(),
};

/**
 * The metrics as one JSON object, from the registry that Prometheus scrapes: totals since the start, and rates and
 * percentiles over the last five minutes.
 */
export function createMetricsReport(options: MetricsReportOptions) {
  const { metrics, sampleMs = 10_000, windowMs = 300_000, now = () => performance.now() } = options;
  /** Oldest first; the first is the start of the window. */
  let samples: Sample[] = [{ ...empty, atMs: now() }];

  const take = async (): Promise<Sample> => {
    const [replies, requests] = await Promise.all([
      valuesOf(metrics.replies),
      valuesOf(metrics.httpDuration),
    ]);
    const ended = requests.filter((value) => value.metricName?.endsWith("_count") === true);
    return {
      atMs: now(),
      messages: sum(await valuesOf(metrics.messages)),
      replies: sum(replies),
      repliesFailed: sum(
        replies.filter(({ labels }) =>
          ["failed", "interrupted"].includes(String(labels["status"])),
        ),
      ),
      errors: sum(await valuesOf(metrics.problems)),
      requests: sum(ended),
      requestsFailed: sum(ended.filter(({ labels }) => String(labels["status"]).startsWith("5"))),
      tokens: sum(await valuesOf(metrics.tokens)),
      requestBuckets: bucketsOf(requests),
      replyBuckets: bucketsOf(await valuesOf(metrics.replyDuration)),
      firstTokenBuckets: bucketsOf(await valuesOf(metrics.timeToFirstToken)),
    };
  };

  const keep = async () => {
    const sample = await take();
    samples.push(sample);
    const from = sample.atMs - windowMs;
    // The newest sample at or before the start of the window stays as its beginning.
    while (samples.length > 2 && (samples[1]?.atMs ?? Infinity) <= from) samples = samples.slice(1);
  };
  const timer = setInterval(() => void keep(), sampleMs);
  timer.unref();

  return {
    async read() {
      const last = await take();
      const first = samples[0] ?? last;
      const seconds = Math.max((last.atMs - first.atMs) / 1000, 0.001);
      const grown = (
        member:
          | "messages"
          | "replies"
          | "repliesFailed"
          | "errors"
          | "requests"
          | "requestsFailed"
          | "tokens",
      ) => last[member] - first[member];
      const rate = (value: number, perSeconds: number) => round((value / seconds) * perSeconds);
      const share = (part: number, whole: number) => (whole === 0 ? 0 : round(part / whole));
      return {
        window_seconds: round(seconds),
        messages: {
          total: last.messages,
          by_type: byLabel(await valuesOf(metrics.messages), "type"),
          queued: single(await valuesOf(metrics.messagesQueued)),
          per_minute: rate(grown("messages"), 60),
        },
        replies: {
          total: last.replies,
          by_status: byLabel(await valuesOf(metrics.replies), "status"),
          by_source: byLabel(await valuesOf(metrics.replies), "source"),
          running: single(await valuesOf(metrics.repliesRunning)),
          per_minute: rate(grown("replies"), 60),
          error_rate: share(grown("repliesFailed"), grown("replies")),
          errors_by_type: byLabel(await valuesOf(metrics.replyProblems), "type"),
        },
        requests: {
          total: last.requests,
          per_second: rate(grown("requests"), 1),
          error_rate: share(grown("requestsFailed"), grown("requests")),
        },
        errors: {
          total: last.errors,
          by_type: byLabel(await valuesOf(metrics.problems), "type"),
          per_minute: rate(grown("errors"), 60),
        },
        tokens: {
          input: 0,
          output: 0,
          ...byLabel(await valuesOf(metrics.tokens), "direction"),
          per_second: rate(grown("tokens"), 1),
        },
        latency_ms: {
          request: percentiles(first.requestBuckets, last.requestBuckets),
          reply: percentiles(first.replyBuckets, last.replyBuckets),
          time_to_first_token: percentiles(first.firstTokenBuckets, last.firstTokenBuckets),
        },
        viewers: single(await valuesOf(metrics.viewers)),
      };
    },
    close(): void {
      clearInterval(timer);
    },
  };
}

interface Value {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  readonly metricName?: string;
}

async function valuesOf(metric: Counter | Gauge | Histogram): Promise<readonly Value[]> {
  return (await metric.get()).values;
}

function sum(values: readonly Value[]): number {
  return values.reduce((total, { value }) => total + value, 0);
}

function single(values: readonly Value[]): number {
  return values[0]?.value ?? 0;
}

function byLabel(values: readonly Value[], label: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { labels, value } of values) {
    const name = String(labels[label]);
    sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}

function bucketsOf(values: readonly Value[]): Buckets {
  const buckets = new Map<number, number>();
  for (const { metricName, labels, value } of values) {
    if (metricName?.endsWith("_bucket") !== true) continue;
    const bound = labels["le"] === "+Inf" ? Infinity : Number(labels["le"]);
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  return buckets;
}

/** Of what was observed between the two, in milliseconds; null where nothing was. */
function percentiles(first: Buckets, last: Buckets) {
  const counts = [...last]
    .sort(([left], [right]) => left - right)
    .map(([bound, count]) => ({ bound, count: count - (first.get(bound) ?? 0) }));
  const count = counts.at(-1)?.count ?? 0;
  const at = (quantile: number): number | null => {
    if (count === 0) return null;
    const rank = quantile * count;
    let below = { bound: 0, count: 0 };
    for (const bucket of counts) {
      if (bucket.count >= rank) {
        // Beyond the last bound nothing is known but that bound.
        if (bucket.bound === Infinity) return round(below.bound * 1000);
        const inside = (rank - below.count) / (bucket.count - below.count);
        return round((below.bound + (bucket.bound - below.bound) * inside) * 1000);
      }
      below = bucket;
    }
    return null;
  };
  return { count, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
