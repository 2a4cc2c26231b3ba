import { expect, test } from "vitest";
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

const versions = await chosenVersions();
const environments = new Map<string, { readonly python: string } | { readonly missing: string }>();
for (const version of versions) environments.set(version, await pythonOf(version));
