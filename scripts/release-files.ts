/** The files of a release, by path from the root. */
export type ReleaseFiles = Readonly<
  Record<
    | "CHANGELOG.md"
    | "package.json"
    | "package-lock.json"
    | "packages/client/package.json"
    | "clients/python/pyproject.toml"
    | "deploy/kubernetes/chat-service.yaml",
    string
  >
>;

/** What keeps a release from being made; the message says it to a person. */
export class ReleaseFault extends Error {
  override readonly name = "ReleaseFault";
}

/** These files as they are in the release `version`, made on `day` (2026-11-28). Raises ReleaseFault. */
export function filesOfRelease(files: ReleaseFiles, version: string, day: string): ReleaseFiles {
  const before = (JSON.parse(files["package.json"]) as { version: string }).version;
  const changelog = files["CHANGELOG.md"];
  const section = /^## Unreleased\n([^]*?)(?=^## |(?![^]))/m.exec(changelog)?.[1]?.trim() ?? "";
  if (section === "") throw new ReleaseFault("CHANGELOG.md has nothing under Unreleased");
  const isFirst = !/^## \d/m.test(changelog);
  checkNumber(before, version, section.includes("**Breaking"), isFirst);
  const numbered = (text: string, pattern: RegExp) => {
    if (!pattern.test(text)) throw new ReleaseFault(`nothing in the files matches ${pattern}`);
    return text.replace(pattern, (_whole, head: string, tail: string) => head + version + tail);
  };
  return {
    "CHANGELOG.md": changelog.replace(
      "## Unreleased\n",
      () => `## Unreleased\n\n## ${version} - ${day}\n`,
    ),
    "package.json": numbered(files["package.json"], /("version": ")[^"]+(")/),
    "package-lock.json": numbered(
      files["package-lock.json"].replace(
        /("version": ")[^"]+(")/,
        (_whole, head: string, tail: string) => head + version + tail,
      ),
      /("packages": \{\s*"": \{\s*"name": "[^"]+",\s*"version": ")[^"]+(")/,
    ),
    "packages/client/package.json": numbered(
      files["packages/client/package.json"],
      /("version": ")[^"]+(")/,
    ),
    "clients/python/pyproject.toml": numbered(
      files["clients/python/pyproject.toml"],
      /(^version = ")[^"]+(")/m,
    ),
    "deploy/kubernetes/chat-service.yaml": numbered(
      files["deploy/kubernetes/chat-service.yaml"],
      /(image: chat-service:)\S+()/,
    ),
  };
}

/** The first release may have the number that is there. */
function checkNumber(before: string, version: string, isBreaking: boolean, isFirst: boolean): void {
  const form = /^(\d+)\.(\d+)\.(\d+)$/;
  const [from, to] = [form.exec(before), form.exec(version)].map((found) =>
    found?.slice(1).map(Number),
  );
  if (from === undefined || to === undefined) {
    throw new ReleaseFault(`${version} is no number of a release: MAJOR.MINOR.PATCH`);
  }
  const at = to.findIndex((part, index) => part !== from[index]);
  if (at < 0 && isFirst) return;
  if (at < 0 || (to[at] ?? 0) < (from[at] ?? 0)) {
    throw new ReleaseFault(`${version} is not above ${before}`);
  }
  const enough = from[0] === 0 ? 1 : 0;
  if (isBreaking && at > enough && !isFirst) {
    throw new ReleaseFault(
      `what is Breaking in CHANGELOG.md needs a higher number than ${version}`,
    );
  }
}
