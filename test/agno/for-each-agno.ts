import { afterAll, expect, test } from "vitest";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { chosenVersions, pythonOf } from "./environment.ts";

/**
 * Registers tests for each AgentOS version. Where Python or the registry is missing they are skipped with a message;
 * `REQUIRE_BACKENDS` with `agno` in it makes that a failure.
 */
export function forEachAgno(register: (version: string, python: string) => void): void {
  for (const version of versions) {
    const found = environments.get(version);
    if (found && "python" in found) {
      register(version, found.python);
      continue;
    }
    const missing = found?.missing ?? "";
    const required = (process.env["REQUIRE_BACKENDS"] ?? "").split(",").includes("agno");
    console.warn(`\n*** AgentOS ${version} is NOT tested: ${missing} ***\n`);
    (required ? test : test.skip)(`AgentOS ${version} can be installed`, () => {
      expect.fail(missing);
    });
  }
}

/** How an AgentOS is set up. */
export interface Setup {
  readonly name: string;
  /** When set, callers need it. */
  readonly securityKey?: string;
  /** Address of an empty PostgreSQL database; undefined: SQLite. */
  database(): Promise<string | undefined>;
}

/**
 * The same in each setup: 2.x with SQLite and without a key, 3.x with PostgreSQL and with one; with `AGNO_SETUPS=all`
 * both of them with each version. Where PostgreSQL is missing it is SQLite, and the key stays.
 */
export function forEachSetup(
  register: (version: string, python: string, setup: Setup) => void,
): void {
  let postgres: TestPostgres | null | undefined;
  const bare: Setup = { name: "SQLite, no key", database: async () => undefined };
  const guarded: Setup = {
    name: "PostgreSQL, a key",
    securityKey: "key-of-the-tests",
    async database() {
      postgres ??= await startPostgres();
      return postgres?.freshDatabase();
    },
  };
  forEachAgno((version, python) => {
    const usual = version.startsWith("2.") ? [bare] : [guarded];
    const setups = process.env["AGNO_SETUPS"] === "all" ? [bare, guarded] : usual;
    for (const setup of setups) register(version, python, setup);
  });
  afterAll(() => postgres?.stop());
}

const versions = await chosenVersions();
const environments = new Map<string, { readonly python: string } | { readonly missing: string }>();
for (const version of versions) environments.set(version, await pythonOf(version));
