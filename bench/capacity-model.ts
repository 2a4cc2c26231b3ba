/** A figure that a bench gives. */
interface Measured {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** Of `npm run bench`. */
  readonly bench: string;
}

export const measured = {
  turn: {
    what: "a turn of 20 tokens, the service's CPU",
    value: 3.6,
    unit: "ms",
    bench: "turn",
  },
  turnDatabase: {
    what: "the same, PostgreSQL's CPU",
    value: 1.6,
    unit: "ms",
    bench: "turn",
  },
  token: {
    what: "a token relayed to one reader, CPU",
    value: 106,
    unit: "µs",
    bench: "views",
  },
  event: {
    what: "an event for one more reader of the same node, CPU",
    value: 33,
    unit: "µs",
    bench: "readers",
  },
  reader: {
    what: "memory of an open stream",
    value: 20,
    unit: "KiB",
    bench: "readers",
  },
  remoteWord: {
    what: "a word for readers on other nodes, PostgreSQL's CPU (without Redis)",
    value: 60,
    unit: "µs",
    bench: "remote-readers",
  },
  worker: {
    what: "memory of a worker with PostgreSQL, without load",
    value: 142,
    unit: "MiB",
    bench: "memory",
  },
  row: {
    what: "disk of a message of 40 words, searchable",
    value: 2.4,
    unit: "KB",
    bench: "search -- --messages 10000000",
  },
} as const satisfies Record<string, Measured>;

interface Installation {
  readonly name: string;
  readonly nodes: number;
  /** One each. */
  readonly workersANode: number;
  /** Of PostgreSQL alone. */
  readonly databaseCores: number;
}

export const installations: readonly Installation[] = [
  { name: "one core", nodes: 1, workersANode: 1, databaseCores: 1 },
  { name: "one machine of 8 cores", nodes: 1, workersANode: 6, databaseCores: 2 },
  { name: "three nodes of 8 cores", nodes: 3, workersANode: 8, databaseCores: 8 },
  { name: "100 nodes of 8 cores", nodes: 100, workersANode: 8, databaseCores: 32 },
];

export const assumptions = {
  /** Of each core; the rest is for what comes unevenly. */
  busy: 0.7,
  /** Memory for streams, for each core. */
  readerGiB: 1,
  /** Tokens that a model writes a second. */
  tokensPerSecond: 30,
  /** `limits.max_concurrent_replies` and `limits.max_viewers`, of a worker. */
  repliesOfWorker: 500,
  readersOfWorker: 10_000,
  /** `database.pool_size` + `max_overflow`, and one that listens. */
  connectionsOfWorker: 31,
  /** What one PostgreSQL server holds before a pooler is wanted. */
  connections: 500,
} as const;

/** The least of several bounds, and which it is. */
function least(bounds: Readonly<Record<string, number>>): { value: number; by: string } {
  const [first = ["", Infinity] as const] = Object.entries(bounds).sort(
    ([, left], [, right]) => left - right,
  );
  return { value: first[1], by: first[0] };
}

export function capacityOf({ nodes, workersANode, databaseCores }: Installation) {
  const { busy, readerGiB, tokensPerSecond } = assumptions;
  const workers = nodes * workersANode;
  const tokens = (workers * busy * 1e6) / measured.token.value;
  return {
    workers,
    turns: least({
      "CPU of the nodes": (workers * busy * 1e3) / measured.turn.value,
      "CPU of PostgreSQL": (databaseCores * busy * 1e3) / measured.turnDatabase.value,
    }),
    tokens,
    streams: least({
      "CPU of the nodes": tokens / tokensPerSecond,
      "limits.max_concurrent_replies": workers * assumptions.repliesOfWorker,
    }),
    readers: least({
      memory: (workers * readerGiB * 2 ** 20) / measured.reader.value,
      "limits.max_viewers": workers * assumptions.readersOfWorker,
    }),
    events: (workers * busy * 1e6) / measured.event.value,
    remoteWords: (databaseCores * busy * 1e6) / measured.remoteWord.value,
    connections: workers * assumptions.connectionsOfWorker,
  };
}

/** A service that is large enough to be asked about: how much of each part it needs at its busiest. */
export const demand = {
  readers: 1e6,
  messages: 1e10,
  messagesADay: 1e8,
  /** The busiest second against the average one. */
  peak: 4,
  tokensOfReply: 300,
} as const;

export function needsOf(wanted: typeof demand) {
  const { busy } = assumptions;
  // A message of a user and the reply to it.
  const turns = (wanted.messagesADay / 2 / 86_400) * wanted.peak;
  const tokens = turns * wanted.tokensOfReply;
  const turnCores = (turns * measured.turn.value) / 1e3 / busy;
  // The first twenty are in the turn.
  const tokenCores = (turns * (wanted.tokensOfReply - 20) * measured.token.value) / 1e6 / busy;
  return {
    turns,
    tokens,
    running: tokens / assumptions.tokensPerSecond,
    cores: turnCores + tokenCores,
    databaseCores: (turns * measured.turnDatabase.value) / 1e3 / busy,
    readerGiB: (wanted.readers * measured.reader.value) / 2 ** 20,
    diskTB: (wanted.messages * measured.row.value) / 1e9,
  };
}

/** Two digits say as much as such a calculation knows. */
export function rounded(value: number): string {
  if (value < 10) return value.toPrecision(2).replace(/\.0$/, "");
  const step = 10 ** (Math.floor(Math.log10(value)) - 1);
  return (Math.round(value / step) * step).toLocaleString("en");
}

/** As docs/capacity.md shows them. */
export function capacityTables(): { measured: string; installations: string; large: string } {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
    [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
  const all = installations.map((each) => ({ ...each, ...capacityOf(each) }));
  const bound = ({ value, by }: { value: number; by: string }) => `${rounded(value)} (${by})`;
  const needs = needsOf(demand);
  const nodes = Math.ceil(needs.cores / 8);
  return {
    measured: table(
      ["what", "figure", "`npm run bench`"],
      Object.values(measured).map(({ what, value, unit, bench }) => [
        what,
        `${value} ${unit}`,
        `\`${bench}\``,
      ]),
    ),
    installations: table(
      ["", ...all.map(({ name }) => name)],
      [
        [
          "workers, cores of PostgreSQL",
          ...all.map((each) => `${each.workers}, ${each.databaseCores}`),
        ],
        ["turns of 20 tokens a second", ...all.map(({ turns }) => bound(turns))],
        ["tokens a second, each to one reader", ...all.map(({ tokens }) => rounded(tokens))],
        [
          `replies that are made at a time (${assumptions.tokensPerSecond} tokens a second each)`,
          ...all.map(({ streams }) => bound(streams)),
        ],
        ["open streams", ...all.map(({ readers }) => bound(readers))],
        [
          "events a second, to readers of the same node",
          ...all.map(({ events }) => rounded(events)),
        ],
        [
          "words a second that are read on other nodes, without Redis",
          ...all.map((each) => (each.workers === 1 ? "none" : rounded(each.remoteWords))),
        ],
        ["connections to PostgreSQL", ...all.map(({ connections }) => rounded(connections))],
      ],
    ),
    large: table(
      ["part", "needs", "that is"],
      [
        [
          "turns",
          `${rounded(needs.turns)} a second`,
          `${rounded(needs.tokens)} tokens a second, ${rounded(needs.running)} replies at a time`,
        ],
        [
          "nodes",
          `${rounded(needs.cores)} cores`,
          `${rounded(nodes)} of 8 cores; of 100 such nodes each has ${rounded((needs.cores / 800) * 100 * assumptions.busy)} % to do`,
        ],
        [
          "streams",
          `${rounded(needs.readerGiB)} GiB of memory`,
          `${rounded(demand.readers / 100)} a node of 100`,
        ],
        [
          "PostgreSQL",
          `${rounded(needs.databaseCores)} cores for turns`,
          `${rounded(needs.diskTB)} TB of disk`,
        ],
        ["connections", rounded(800 * assumptions.connectionsOfWorker), "PgBouncer"],
      ],
    ),
  };
}
