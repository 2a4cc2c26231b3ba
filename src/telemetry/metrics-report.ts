import { Histogram, type Counter, type Gauge } from "prom-client";
import type { Metrics } from "./metrics.ts";

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

type Labels = Value["labels"];

const all = () => true;
const isFailed = ({ status }: Labels) => status === "failed" || status === "interrupted";
const isServerFault = ({ status }: Labels) => String(status).startsWith("5");

/** What rates are made of: figures that only grow, each the sum of series of the registry. */
const figures = {
  messages: [["messages", all]],
  replies: [["replies", all]],
  repliesFailed: [["replies", isFailed]],
  // Streams that end in an error were answered with 200.
  errors: [
    ["problems", all],
    ["replyProblems", all],
  ],
  requests: [["httpDuration", all]],
  requestsFailed: [["httpDuration", isServerFault]],
  tokens: [["tokens", all]],
} as const satisfies Record<
  string,
  readonly (readonly [keyof Metrics, (labels: Labels) => boolean])[]
>;

/** What percentiles are made of. */
const latencies = {
  request: "httpDuration",
  reply: "replyDuration",
  time_to_first_token: "timeToFirstToken",
} as const satisfies Record<string, keyof Metrics>;

type Figure = keyof typeof figures;
type Latency = keyof typeof latencies;

/** The registry at one moment, as far as rates and percentiles need it. */
interface Sample {
  readonly atMs: number;
  readonly figures: Readonly<Record<Figure, number>>;
  readonly buckets: Readonly<Record<Latency, Buckets>>;
}

/**
 * The metrics as one JSON object, derived from the registry that Prometheus scrapes: totals since the start, and rates
 * and percentiles over the last five minutes.
 */
export function createMetricsReport(options: MetricsReportOptions) {
  const { metrics, sampleMs = 10_000, windowMs = 300_000, now = () => performance.now() } = options;

  const take = async (): Promise<Sample> => ({
    atMs: now(),
    figures: await eachOf(figures, async (series) => {
      const sums = series.map(async ([name, fits]) =>
        sum((await countsOf(metrics[name])).filter(({ labels }) => fits(labels))),
      );
      return (await Promise.all(sums)).reduce((total, each) => total + each, 0);
    }),
    buckets: await eachOf(latencies, async (name) => bucketsOf(await valuesOf(metrics[name]))),
  });

  /** Oldest first; the first is the start of the window. Nothing has happened before this one. */
  let samples: Sample[] = [
    {
      atMs: now(),
      figures: mapOf(figures, () => 0),
      buckets: mapOf(latencies, () => new Map<number, number>()),
    },
  ];
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
      const grown = (figure: Figure) => last.figures[figure] - first.figures[figure];
      const rate = (figure: Figure, perSeconds: number) =>
        round((grown(figure) / seconds) * perSeconds);
      const share = (part: Figure, whole: Figure) =>
        grown(whole) === 0 ? 0 : round(grown(part) / grown(whole));
      return {
        window_seconds: round(seconds),
        messages: {
          total: last.figures.messages,
          by_type: byLabel(await valuesOf(metrics.messages), "type"),
          queued: single(await valuesOf(metrics.messagesQueued)),
          per_minute: rate("messages", 60),
        },
        replies: {
          total: last.figures.replies,
          by_status: byLabel(await valuesOf(metrics.replies), "status"),
          by_source: byLabel(await valuesOf(metrics.replies), "source"),
          running: single(await valuesOf(metrics.repliesRunning)),
          per_minute: rate("replies", 60),
          error_rate: share("repliesFailed", "replies"),
          errors_by_type: byLabel(await valuesOf(metrics.replyProblems), "type"),
        },
        requests: {
          total: last.figures.requests,
          per_second: rate("requests", 1),
          error_rate: share("requestsFailed", "requests"),
        },
        errors: {
          total: last.figures.errors,
          by_type: byLabel(
            [...(await valuesOf(metrics.problems)), ...(await valuesOf(metrics.replyProblems))],
            "type",
          ),
          per_minute: rate("errors", 60),
        },
        tokens: {
          input: 0,
          output: 0,
          ...byLabel(await valuesOf(metrics.tokens), "direction"),
          per_second: rate("tokens", 1),
        },
        latency_ms: mapOf(latencies, (_metric, name) =>
          percentiles(first.buckets[name], last.buckets[name]),
        ),
        viewers: single(await valuesOf(metrics.viewers)),
      };
    },
    close(): void {
      clearInterval(timer);
    },
  };
}

function mapOf<K extends string, V, R>(
  record: Readonly<Record<K, V>>,
  map: (value: V, key: K) => R,
): Record<K, R> {
  const entries = (Object.entries(record) as [K, V][]).map(([key, value]) => [
    key,
    map(value, key),
  ]);
  return Object.fromEntries(entries) as Record<K, R>;
}

async function eachOf<K extends string, V, R>(
  record: Readonly<Record<K, V>>,
  map: (value: V) => Promise<R>,
): Promise<Record<K, R>> {
  const promises = mapOf(record, map);
  const values = await Promise.all(Object.values<Promise<R>>(promises));
  return mapOf(record, (_value, key) => values[Object.keys(record).indexOf(key)] as R);
}

interface Value {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  readonly metricName?: string;
}

type Metric = Counter | Gauge | Histogram;

async function valuesOf(metric: Metric): Promise<readonly Value[]> {
  return (await metric.get()).values;
}

/** Of a histogram, how often something was observed. */
async function countsOf(metric: Metric): Promise<readonly Value[]> {
  const values = await valuesOf(metric);
  if (metric instanceof Histogram) return values.filter((each) => isCount(each));
  return values;
}

function isCount({ metricName }: Value): boolean {
  return metricName?.endsWith("_count") === true;
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
