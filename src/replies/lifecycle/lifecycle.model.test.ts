import fc from "fast-check";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { Database } from "../../database/database.ts";
import { migrate } from "../../database/migrate.ts";
import { createPostgresDatabase } from "../../database/postgres.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import {
  again,
  live,
  watchReplies,
  type Command,
  type Deed,
  type History,
} from "../../../test/support/heart-life.ts";
import { startPostgres } from "../../../test/support/postgres.ts";
import { openEmbedded } from "../../../test/support/databases.ts";

/** Sessions of one history: each has a life of its own, beside the others on the same nodes. */
const sessionsEach = 8;
const options = { limits: { perNode: 4, perSource: 3, perUser: 3 }, maxQueued: 2 };

const message = fc
  .array(
    fc.oneof(
      { weight: 10, arbitrary: fc.constant("say") },
      { weight: 4, arbitrary: fc.constant("mark") },
      { weight: 3, arbitrary: fc.constant("tool") },
      { weight: 4, arbitrary: fc.constant("pause") },
      { weight: 1, arbitrary: fc.constant("fail") },
      { weight: 1, arbitrary: fc.constant("cut") },
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((steps) => steps.join(" "));
const hanging = fc.constant("say mark hang say");

const everyday: [number, fc.Arbitrary<Deed>][] = [
  [
    12,
    fc.record({
      do: fc.constant("send" as const),
      message: fc.oneof({ weight: 40, arbitrary: message }, { weight: 1, arbitrary: hanging }),
      agent: fc.constantFrom("lasting" as const, "passing" as const, undefined),
      onBusy: fc.constantFrom(
        "enqueue" as const,
        "merge" as const,
        "merge" as const,
        "interrupt" as const,
        "rollback" as const,
        "reject" as const,
        "steer" as const,
        "steer" as const,
      ),
    }),
  ],
  [
    5,
    fc.record({
      do: fc.constant("branch" as const),
      how: fc.constantFrom("below" as const, "beside" as const, "again" as const),
      at: fc.nat({ max: 40 }),
      message,
      onBusy: fc.constantFrom(
        "enqueue" as const,
        "interrupt" as const,
        "rollback" as const,
        "reject" as const,
      ),
    }),
  ],
  [
    4,
    fc.record({
      do: fc.constant("merge" as const),
      messages: fc.array(message, { minLength: 2, maxLength: 4 }),
    }),
  ],
  [2, fc.record({ do: fc.constant("show" as const), at: fc.nat({ max: 40 }) })],
  [2, fc.record({ do: fc.constant("remove" as const), at: fc.nat({ max: 40 }) })],
  [
    3,
    fc.record({
      do: fc.constant("amend" as const),
      which: fc.nat({ max: 2 }),
      by: fc.constantFrom("question" as const, "reply" as const),
      message,
    }),
  ],
  [8, fc.record({ do: fc.constant("advance" as const), steps: fc.integer({ min: 1, max: 4 }) })],
  [3, fc.record({ do: fc.constant("cancel" as const), which: fc.nat({ max: 2 }) })],
  [
    3,
    fc.record({ do: fc.constant("decide" as const), isRight: fc.constantFrom(true, true, false) }),
  ],
  [1, fc.record({ do: fc.constant("delete" as const) })],
  [1, fc.record({ do: fc.constant("retire" as const), isIdle: fc.boolean() })],
  [1, fc.record({ do: fc.constant("repeat" as const) })],
  [1, fc.record({ do: fc.constant("fail jobs" as const) })],
  [3, fc.record({ do: fc.constant("lose answer" as const), isCommitted: fc.boolean() })],
  [2, fc.record({ do: fc.constant("recover" as const) })],
  [1, fc.record({ do: fc.constant("start node" as const) })],
];
const disasters: [number, fc.Arbitrary<Deed>][] = [
  [2, fc.record({ do: fc.constant("crash" as const), isAfterCommit: fc.boolean() })],
  [2, fc.record({ do: fc.constant("expire" as const), isLiving: fc.boolean() })],
  [2, fc.record({ do: fc.constant("recover" as const) })],
  [1, fc.record({ do: fc.constant("refuse log" as const), isRefusing: fc.boolean() })],
  [1, fc.record({ do: fc.constant("forget log" as const) })],
  [1, fc.record({ do: fc.constant("lose database" as const) })],
  [1, fc.record({ do: fc.constant("shut down" as const) })],
];

const historyOf = (isCalm: boolean): fc.Arbitrary<History> => {
  const deeds = isCalm ? everyday : [...everyday, ...disasters];
  const command: fc.Arbitrary<Command> = fc.record({
    deed: fc.oneof(...deeds.map(([weight, arbitrary]) => ({ weight, arbitrary }))),
    session: fc.nat({ max: sessionsEach - 1 }),
    node: fc.nat({ max: 2 }),
    isTogether: fc.boolean(),
  });
  return fc.record({
    isCalm: fc.constant(isCalm),
    isHeard: fc.boolean(),
    commands: fc.array(command, { minLength: 1, maxLength: 80, size: "max" }),
  });
};
const history = fc.oneof(historyOf(true), historyOf(false));

/** Each of eight lives of sessions at once: two thousand on the embedded database, five hundred on PostgreSQL. */
const { MODEL_HISTORIES: many } = process.env;
const runs =
  many === undefined
    ? { embedded: 250, postgres: 63 }
    : { embedded: Number(many), postgres: Number(many) };
const timeout = 3_600_000;

async function checkHistories(database: Database, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(history, (each) =>
      live(database, { ...options, isHeard: each.isHeard }, each),
    ),
    // Looking for the shortest history takes many minutes: seed and path find it again elsewhere.
    { numRuns, reporter: report, endOnFailure: process.env["CI"] !== undefined, ...again() },
  );
}

/** As a list that can be read; what is needed to see it again comes first. */
function report({
  failed,
  seed,
  counterexamplePath,
  counterexample,
  errorInstance,
}: fc.RunDetails<[History]>) {
  if (!failed) return;
  const [found] = counterexample ?? [];
  const lines = (found?.commands ?? []).map(({ deed, session, node, isTogether }) => {
    const { do: name, ...rest } = deed;
    return `  ${name} ${JSON.stringify(rest)} session ${session} node ${node}${isTogether ? " …" : ""}`;
  });
  throw new Error(
    `MODEL_SEED=${seed} MODEL_PATH=${counterexamplePath}${found?.isCalm === true ? " (calm)" : ""}${found?.isHeard === true ? " (heard)" : ""}\n${lines.join("\n")}`,
    { cause: errorInstance },
  );
}

describe("whatever happens to replies, on the embedded database", () => {
  let database: Database;
  beforeAll(async () => {
    database = await openEmbedded();
    await watchReplies(database);
  });
  afterAll(() => database.close());

  test("each ends as it is told, once, in its turn, and nothing is left behind", { timeout }, () =>
    checkHistories(database, runs.embedded),
  );
});

const postgres = await startPostgres();
describe.skipIf(postgres === null)("whatever happens to replies, on PostgreSQL", () => {
  let database: Database;
  beforeAll(async () => {
    database = createPostgresDatabase({
      url: await postgres!.freshDatabase(),
      maxConnections: 10,
      poolTimeoutMs: 5_000,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 30_000,
      pooler: "none",
      log: silentLogger,
    });
    await migrate(database);
    await watchReplies(database);
  });
  afterAll(async () => {
    await database.close();
    await postgres!.stop();
  });

  test("each ends as it is told, once, in its turn, and nothing is left behind", { timeout }, () =>
    checkHistories(database, runs.postgres),
  );
});
