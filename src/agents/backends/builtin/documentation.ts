import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import MiniSearch from "minisearch";
import type { Language } from "../../../problems/catalogue.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import { separateCode, splitMarkdown } from "./markdown-sections.ts";
import { allWords, indexTerms, questionPairs, questionTerms } from "./search-terms.ts";

const maxFiles = 200;
const maxFileBytes = 512 * 1024;
const maxDepth = 4;
const maxQuestionCharacters = 500;
/** People who ask want to know how, not why or how it is built. */
const pageWeights: readonly (readonly [page: RegExp, weight: number])[] = [
  [/\/decisions\//, 0.6],
  [/\/(architecture|reliability)\./, 0.65],
  [/\/getting-started\./, 1.25],
];
/** Tables of settings and entries of errors name many things in passing: they are for who asks for just that. */
const settingsWeight = 0.25;
const asksForSettings =
  /\b(settings?|config\w*|options?|parameters?|variables?|defaults?)\b|设置|配置|参数|环境变量|[a-z][._][a-z]/i;
const errorWeight = 0.3;
const errorHeading = /^(\w+) \(\d{3}\)$/;
/** What was tested is for who doubts it; a list of links is no answer. */
const recordWeight = 0.5;
const isRecord = /^(?:Threats|How the heart|Goals and what was seen)/;
const fewestLinks = 5;
const linksWeight = 0.4;
const otherLanguageWeight = 0.45;
const fewPages = 4;

/** A passage of the documentation. */
interface Passage {
  /** Relative to the package, with forward slashes, such as `docs/api.md`. */
  readonly file: string;
  /** From the page's title down. */
  readonly headings: readonly string[];
  /** Markdown as it stands in the file. */
  readonly text: string;
  readonly language: Language;
}

export interface FoundPassage extends Passage {
  /** How much of what was asked for the passage has, 0..1; rare words weigh more than common ones. */
  readonly coverage: number;
  /** Index terms of the passage that the question led to. */
  readonly terms: readonly string[];
}

/** The service's own documentation, searchable. Read once, when first asked; pages that are missing are simply not there. */
export interface Documentation {
  /** The best passages first, at most `limit`; passages in `language` are preferred. */
  search(question: string, language: Language, limit: number): Promise<FoundPassage[]>;
  /** Titles of the pages in `language`, else in the other one; of few pages, their chapters. */
  topics(language: Language): Promise<string[]>;
}

interface Index {
  readonly passages: readonly Passage[];
  readonly search: MiniSearch<IndexedPassage>;
  /** In how many passages a term stands. */
  readonly frequency: ReadonlyMap<string, number>;
}

interface IndexedPassage {
  readonly id: number;
  readonly title: string;
  readonly heading: string;
  readonly text: string;
  readonly code: string;
}

/** @param root the package's folder: README*.md in it and every page below its `docs/` are searched */
export function createDocumentation(root: string, logger: Logger): Documentation {
  let index: Promise<Index> | undefined;
  const loaded = () => (index ??= readPassages(root, logger).then(buildIndex));
  return {
    async search(question, language, limit) {
      return searchIndex(await loaded(), question.slice(0, maxQuestionCharacters), language, limit);
    },
    async topics(language) {
      return listTopics((await loaded()).passages, language);
    },
  };
}

async function readPassages(root: string, logger: Logger): Promise<Passage[]> {
  const passages: Passage[] = [];
  for (const path of await findPages(root, logger)) {
    const file = relative(root, path).split(sep).join("/");
    try {
      if ((await stat(path)).size > maxFileBytes) {
        logger.warn({ file }, "documentation page left out: too long");
        continue;
      }
      const page = await readFile(path, "utf8");
      const language = pageLanguage(file, page);
      for (const section of splitMarkdown(page)) passages.push({ file, language, ...section });
    } catch (error) {
      logger.warn({ file, error }, "documentation page left out: cannot be read");
    }
  }
  if (passages.length === 0) logger.warn({}, "no documentation found: the guide has no answers");
  return passages;
}

async function findPages(root: string, logger: Logger): Promise<string[]> {
  const pages = (await entriesOf(root, logger))
    .filter((entry) => entry.isFile() && /^README.*\.md$/i.test(entry.name))
    .map((entry) => join(root, entry.name));
  const folders = [{ path: join(root, "docs"), depth: 0 }];
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    const { path, depth } = folder;
    for (const entry of await entriesOf(path, logger)) {
      const below = join(path, entry.name);
      if (entry.isDirectory() && depth < maxDepth) folders.push({ path: below, depth: depth + 1 });
      else if (entry.isFile() && entry.name.endsWith(".md")) pages.push(below);
    }
  }
  return pages.sort().slice(0, maxFiles);
}

async function entriesOf(folder: string, logger: Logger) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    logger.debug({ error }, "documentation folder cannot be read");
    return [];
  }
}

function pageLanguage(file: string, page: string): Language {
  if (/\.zh(?:-[A-Za-z]+)?\.md$/.test(file)) return "zh";
  const hanCharacters = page.match(/\p{Script=Han}/gu)?.length ?? 0;
  return hanCharacters > page.length * 0.15 ? "zh" : "en";
}

function buildIndex(passages: readonly Passage[]): Index {
  const search = new MiniSearch<IndexedPassage>({
    fields: ["title", "heading", "text", "code"],
    tokenize: indexTerms,
    processTerm: (term) => term,
    // What stands in examples is rarely what a passage is about.
    searchOptions: { boost: { heading: 3, title: 1.5, code: 0.2 }, combineWith: "OR" },
  });
  const frequency = new Map<string, number>();
  for (const [id, { headings, text }] of passages.entries()) {
    const [prose, code] = separateCode(text);
    const passage = { id, title: headings[0] ?? "", heading: headings.at(-1) ?? "" };
    search.add({ ...passage, text: prose, code });
    const terms = new Set(indexTerms(`${passage.title}\n${passage.heading}\n${text}`));
    for (const term of terms) frequency.set(term, (frequency.get(term) ?? 0) + 1);
  }
  return { passages, search, frequency };
}

function searchIndex(
  { passages, search, frequency }: Index,
  question: string,
  language: Language,
  limit: number,
): FoundPassage[] {
  const groups = questionTerms(question);
  if (groups.length === 0) return [];
  const weights = groups.map(({ terms }) => {
    const passagesWithIt = Math.max(...terms.map((term) => frequency.get(term) ?? 0));
    return Math.log(1 + (passages.length + 1) / (passagesWithIt + 0.5));
  });
  const totalWeight = weights.reduce((sum, weight) => sum + weight, 0);
  const pairs = new Set(questionPairs(question));
  const terms = [...new Set([...groups.flatMap((group) => group.terms), ...pairs])];

  const results = search.search(terms.join("\n"), {
    tokenize: (joined) => joined.split("\n"),
    processTerm: (term) => term,
    prefix: (term) => /^[a-z]{4,}$/.test(term),
    fuzzy: (term) => (/^[a-z]{6,}$/.test(term) ? 1 : false),
    boostTerm: (term) => (pairs.has(term) ? 0.4 : 1),
    boostDocument: (id) => {
      const passage = passages[id as number];
      if (passage === undefined) return 0;
      const preferred = passage.language === language ? 1 : otherLanguageWeight;
      return preferred * weightOf(passage, question);
    },
  });
  return results
    .slice(0, 50)
    .flatMap(({ id, score, queryTerms, match }) => {
      const passage = passages[id as number];
      if (passage === undefined) return [];
      const matched = new Set(queryTerms);
      const covered = groups.reduce(
        (sum, group, index) =>
          group.terms.some((term) => matched.has(term)) ? sum + (weights[index] ?? 0) : sum,
        0,
      );
      const coverage = covered / totalWeight;
      return [
        {
          score: score * coverage ** 2 * (1 + likeness(question, passage)),
          found: { ...passage, coverage, terms: Object.keys(match) },
        },
      ];
    })
    .sort((one, other) => other.score - one.score)
    .slice(0, limit)
    .map(({ found }) => found);
}

/** How much a question is like the name of a section, 0..1, in all of its words: "the service does not start". */
function likeness(question: string, { headings }: Passage): number {
  const heading = headings.at(-1) ?? "";
  const [asked, named] = [allWords(question), allWords(heading)];
  const common = [...named].filter((word) => asked.has(word)).length;
  return named.size === 0 ? 0 : (common / named.size + common / asked.size) / 2;
}

function weightOf({ file, headings, text }: Passage, question: string): number {
  const heading = headings.at(-1) ?? "";
  if (headings.some((each) => isRecord.test(each))) return recordWeight;
  if (isListOfLinks(text)) return linksWeight;
  const [, error] = errorHeading.exec(heading) ?? [];
  if (error !== undefined) return question.includes(error) ? 2 : errorWeight;
  if (file.endsWith("/configuration.md") && /^[a-z_]+$/.test(heading)) {
    return asksForSettings.test(question) ? 1 : settingsWeight;
  }
  return pageWeights.find(([page]) => page.test(file))?.[1] ?? 1;
}

function isListOfLinks(text: string): boolean {
  const lines = text.split("\n").filter((line) => /\w/.test(line)).length;
  const links = text.match(/\]\([^)]*\.md[^)]*\)/g)?.length ?? 0;
  return links >= fewestLinks && links >= lines / 2;
}

function listTopics(passages: readonly Passage[], language: Language): string[] {
  const guides = passages.filter((passage) => !passage.file.includes("/decisions/"));
  const inLanguage = guides.filter((passage) => passage.language === language);
  const listed = inLanguage.length > 0 ? inLanguage : guides;
  const titles = new Set(listed.flatMap(({ headings }) => headings.slice(0, 1)));
  const chapters = new Set(listed.flatMap(({ headings }) => headings.slice(1, 2)));
  return [...(titles.size < fewPages && chapters.size > 0 ? chapters : titles)];
}
