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

/** What is told as it is, of each metric all of its series. */
const shown = [
  "messages",
  "messagesQueued",
  "replies",
  "repliesRunning",
  "replyProblems",
  "problems",
  "tokens",
  "viewers",
] as const satisfies readonly (keyof Metrics)[];

/** What one process knows for the report: of a service in several there is one for each. */
export interface ReportPart {
  readonly first: Sample;
  readonly last: Sample;
  readonly values: Readonly<Record<(typeof shown)[number], readonly Value[]>>;
}

/** Derived from the registry that Prometheus scrapes, which says nothing of the last five minutes. */
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
    async part(): Promise<ReportPart> {
      const last = await take();
      const values = await Promise.all(shown.map((name) => valuesOf(metrics[name])));
      return {
        first: samples[0] ?? last,
        last,
        values: Object.fromEntries(
          shown.map((name, index) => [name, values[index] ?? []]),
        ) as ReportPart["values"],
      };
    },
    close(): void {
      clearInterval(timer);
    },
  };
}

/** The metrics as one JSON object: totals since the start, and rates and percentiles over the last five minutes. */
export function reportOf(parts: readonly ReportPart[]) {
  const secondsOf = ({ first, last }: ReportPart) =>
    Math.max((last.atMs - first.atMs) / 1000, 0.001);
  const values = (name: (typeof shown)[number]) => parts.flatMap((part) => part.values[name]);
  const added = (of: (part: ReportPart) => number) =>
    parts.reduce((total, part) => total + of(part), 0);
  const total = (figure: Figure) => added(({ last }) => last.figures[figure]);
  const grown = (figure: Figure) => (part: ReportPart) =>
    part.last.figures[figure] - part.first.figures[figure];
  const rate = (figure: Figure, perSeconds: number) =>
    round(added((part) => (grown(figure)(part) / secondsOf(part)) * perSeconds));
  const share = (part: Figure, whole: Figure) =>
    added(grown(whole)) === 0 ? 0 : round(added(grown(part)) / added(grown(whole)));
  return {
    window_seconds: round(Math.max(...parts.map(secondsOf))),
    messages: {
      total: total("messages"),
      by_type: byLabel(values("messages"), "type"),
      // Of the database, which they all share.
      queued: Math.max(0, ...values("messagesQueued").map(({ value }) => value)),
      per_minute: rate("messages", 60),
    },
    replies: {
      total: total("replies"),
      by_status: byLabel(values("replies"), "status"),
      by_source: byLabel(values("replies"), "source"),
      running: sum(values("repliesRunning")),
      per_minute: rate("replies", 60),
      error_rate: share("repliesFailed", "replies"),
      errors_by_type: byLabel(values("replyProblems"), "type"),
    },
    requests: {
      total: total("requests"),
      per_second: rate("requests", 1),
      error_rate: share("requestsFailed", "requests"),
    },
    errors: {
      total: total("errors"),
      by_type: byLabel([...values("problems"), ...values("replyProblems")], "type"),
      per_minute: rate("errors", 60),
    },
    tokens: {
      input: 0,
      output: 0,
      ...byLabel(values("tokens"), "direction"),
      per_second: rate("tokens", 1),
    },
    latency_ms: mapOf(latencies, (_metric, name) =>
      percentiles(
        addedBuckets(parts.map(({ first }) => first.buckets[name])),
        addedBuckets(parts.map(({ last }) => last.buckets[name])),
      ),
    ),
    viewers: sum(values("viewers")),
  };
}

function addedBuckets(each: readonly Buckets[]): Buckets {
  const added = new Map<number, number>();
  for (const [bound, count] of each.flatMap((buckets) => [...buckets])) {
    added.set(bound, (added.get(bound) ?? 0) + count);
  }
  return added;
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
