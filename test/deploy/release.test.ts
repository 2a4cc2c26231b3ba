import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { filesOfRelease, type ReleaseFiles } from "../../scripts/release-files.ts";

const root = join(import.meta.dirname, "../..");
const paths = [
  "CHANGELOG.md",
  "package.json",
  "package-lock.json",
  "packages/client/package.json",
  "clients/python/pyproject.toml",
  "deploy/kubernetes/chat-service.yaml",
] as const;
const files = Object.fromEntries(
  await Promise.all(
    paths.map(async (path) => [path, await readFile(join(root, path), "utf8")] as const),
  ),
) as ReleaseFiles;

it("a release has its number in every file that names it, and nothing else is changed", () => {
  const released = filesOfRelease(files, "7.8.9", "2026-11-28");
  for (const path of paths) {
    const before = new Set(files[path].split("\n"));
    const changed = released[path].split("\n").filter((line) => !before.has(line));
    expect(changed.length, path).toBeGreaterThan(0);
    for (const line of changed) expect(line, path).toContain("7.8.9");
  }
  const lock = JSON.parse(released["package-lock.json"]) as {
    version: string;
    packages: Record<string, { version: string }>;
  };
  expect([lock.version, lock.packages[""]?.version]).toEqual(["7.8.9", "7.8.9"]);
  expect(released["CHANGELOG.md"]).toContain("## Unreleased\n\n## 7.8.9 - 2026-11-28\n");
});

const changed = (changelog: string, version: string): ReleaseFiles => ({
  ...files,
  "CHANGELOG.md": changelog,
  "package.json": JSON.stringify({ name: "chat-service", version }, null, 2),
});
const told = (text: string) =>
  `# Changelog\n\n## Unreleased\n\n${text}\n\n## 1.0.0 - 2026-01-01\n\n- First\n`;

it.each([
  [told(""), "1.2.3", "1.2.4", /nothing under Unreleased/],
  [told("- A"), "1.2.3", "1.2.3", /not above/],
  [told("- A"), "1.2.3", "1.1.9", /not above/],
  [told("- A"), "1.2.3", "1.2", /MAJOR.MINOR.PATCH/],
  [told("- **Breaking:** A"), "1.2.3", "1.3.0", /higher/],
  [told("- **Breaking:** A"), "0.2.3", "0.2.4", /higher/],
])("%j of %s is no release %s", (changelog, before, version, why) => {
  expect(() => filesOfRelease(changed(changelog, before), version, "2026-11-28")).toThrow(why);
});

it.each([
  [told("- A"), "1.2.3", "1.2.4"],
  [told("- **Breaking:** A"), "1.2.3", "2.0.0"],
  [told("- **Breaking:** A"), "0.2.3", "0.3.0"],
  ["# Changelog\n\n## Unreleased\n\n- A\n", "0.1.0", "0.1.0"],
])("%j of %s may be %s", (changelog, before, version) => {
  const released = filesOfRelease(changed(changelog, before), version, "2026-11-28");
  expect(released["CHANGELOG.md"]).toContain(`## ${version} - 2026-11-28\n`);
});
