import { spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createClient } from "../support/client.ts";
import { startService, type TestService } from "../support/start-service.ts";

const root = join(import.meta.dirname, "../..");
const pages = ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "SECURITY.md"].concat(
  globSync("docs/**/*.md", { cwd: root }).toSorted(),
);

interface Block {
  readonly page: string;
  readonly line: number;
  readonly text: string;
}

/** What a reader would copy into a shell: blocks that say so, and indented ones that begin with a command. */
function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), "utf8");
  const fenced = text.matchAll(/^( *)```(?:sh|bash|shell|console)\n([^]*?)\n *```/gm);
  const indented = text.matchAll(
    /(?<=\n\n)(( {4}(?:curl|npm|npx|node|docker) .*\n)( {4}\S.*\n| {5,}\S.*\n)*)/g,
  );
  return [
    ...[...fenced].map(({ index, 1: margin = "", 2: lines = "" }) => ({
      index,
      lines: lines.replaceAll(new RegExp(`^${margin}`, "gm"), ""),
    })),
    ...[...indented].map(({ index, 1: lines = "" }) => ({
      index,
      lines: lines.replaceAll(/^ {4}/gm, ""),
    })),
  ].map(({ index, lines }) => ({
    page,
    line: text.slice(0, index).split("\n").length,
    text: lines.trim(),
  }));
}

const blocks = pages.flatMap(blocksOf);

/** What cannot be carried out here, and why. Each row must fit a block, so that none outlives it. */
const notHere: readonly (readonly [page: RegExp, begins: RegExp, why: string])[] = [
  [
    /import-export\.md/,
    /^curl -F file=/,
    "needs their file; test/service/import.test.ts sends some",
  ],
  [
    /releasing\.md/,
    /release\.ts/,
    "makes a release; test/deploy/release.test.ts makes one elsewhere",
  ],
  [
    /releasing\.md/,
    /^\(cd packages\/client/,
    "packs; test/client/package.test.ts and test/service/bin.test.ts do it elsewhere",
  ],
  [/agno\.md/, /^python3 -m venv/, "installs Python packages; npm run test:agno does the same"],
  [/agno\.md/, /^MODEL_BASE_URL=/, "needs them; test/agno/documentation.test.ts runs the example"],
  [/agno\.md/, /\/chat\/agents/, "needs its agent; test/agno/documentation.test.ts asks it"],
  [
    /agno\.md|api\.md/,
    /\/continue/,
    "needs a paused reply; test/agno/service.test.ts goes on with one",
  ],
  [
    /operations\.md/,
    /^docker build/,
    "needs a Docker daemon; scripts/prove-image.ts runs the image",
  ],
  [/operations\.md/, /^(pg_dump|psql "\$ADMIN_URL")/, "test/deploy/restore.test.ts carries it out"],
  [/operations\.md/, /chat-service (move|import)/, "test/service/move.test.ts carries it out"],
  [/operations\.md/, /^node bench/, "are measurements of many minutes"],
  [/reliability\.md/, /^npm run test:faults/, "are test runs themselves"],
  [/scaling\.md/, /^redis-cli ACL/, "test/deploy/redis-rights.test.ts carries it out"],
  [/mcp\.md/, /^claude mcp add/, "needs Claude Code; test/protocols/mcp.test.ts asks the service"],
  [
    /security\.md|openai\.md/,
    /^chat-service keys/,
    "needs an administrator's key; test/service/api-keys.test.ts carries it out",
  ],
  [/security\.md/, /\/audit/, "needs an administrator's key; test/service/audit.test.ts asks"],
  [
    /voice\.md/,
    /audio_file=@question/,
    "needs a recogniser; test/voice/voice-service.test.ts sends it",
  ],
  [/page\.md/, /npx vite web/, "serves a page until somebody stops it"],
  [/README|CONTRIBUTING/, /^npm ci\s+npm run dev/, "are the commands that this test is run by"],
];

let directory: string;
let service: TestService;
let kept: TestService;
let sessions: readonly string[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "chat-blocks-"));
  service = await startService({
    env: { LOGGING_FILE_PATH: "logs/chat-service.log", VOICE_TTS_PROVIDER: "flite" },
  });
  await symlink(join(service.dataDir, "logs"), join(directory, "logs"));
  await mkdir(join(directory, "data"));
  kept = await startService({ dataDir: join(directory, "data") });
  const client = createClient(service.url);
  sessions = [await client.session("alice"), await client.session("alice")];
});
afterAll(async () => {
  await service?.stop();
  await kept?.kill();
  await rm(directory, { recursive: true, force: true });
});

/** The reader's own values for what pages leave open. */
function filledIn(text: string): string {
  let number = 0;
  const isBackup = text.includes("tar -czf");
  return text
    .replaceAll("http://127.0.0.1:8001", service.url)
    .replaceAll(/"0199…"/g, () => `"${sessions[number++]}"`)
    .replaceAll("019aab3e-…", /"reqId":"([^"]+)"/.exec(service.output())?.[1] ?? "")
    .replaceAll("<pid>", String(isBackup ? kept.process.pid : service.process.pid))
    .replaceAll(
      "# and wait for its end",
      `; while kill -0 ${kept.process.pid} 2>&-; do sleep 0.1; done`,
    )
    .replaceAll(/^(npx )?chat-service (export|erase) /gm, `chat-service $2 --url ${service.url} `);
}

/**
 * A terminal in which one page is carried out from top to bottom. A refusal of the service is a failure; starts look at
 * their configuration and go no further, as their databases and models are examples.
 */
const terminal = `
set -u -o pipefail
main=${JSON.stringify(join(root, "bin/chat-service.mjs"))}
curl() { command curl --fail-with-body --silent --show-error "$@"; }
chat-service() { node "$main" "$@"; }
npx() { "$@"; }
npm() {
  case "$1" in
    start) SERVICE_ENVIRONMENT=test node "$main" config > /dev/null ;;
    ci | install | test | run) node -e 'process.exit(require(process.argv[1]).scripts[process.argv[2]] === undefined && process.argv[2] !== "ci" ? 1 : 0)' ${JSON.stringify(join(root, "package.json"))} "\${2:-$1}" ;;
    *) return 1 ;;
  esac
}
`;

interface Outcome {
  readonly code: number;
  readonly output: string;
}

function carryOut(texts: readonly string[]): Promise<readonly Outcome[]> {
  const mark = "::end of a block::";
  const script = texts.map((text) => `{ ${text}\n} 2>&1\necho "\n${mark}$?"`).join("\n");
  return new Promise((resolve, reject) => {
    const shell = spawn("bash", ["-c", terminal + script], {
      cwd: directory,
      env: {
        PATH: `${join(process.execPath, "..")}:${process.env["PATH"]}`,
        SERVICE_ENVIRONMENT: "test",
        SERVICE_DATA_DIR: service.dataDir,
        PORT: new URL(service.url).port,
        VOICE_TTS_PROVIDER: "flite",
        LOGGING_FILE_PATH: "logs/chat-service.log",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [shell.stdout, shell.stderr]) {
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    }
    shell.on("error", reject);
    shell.on("close", () => {
      const parts = output.split(new RegExp(`\n${mark}(\\d+)\n`));
      resolve(
        texts.map((_, index) => ({
          output: parts[index * 2] ?? "",
          code: Number(parts[index * 2 + 1] ?? -1),
        })),
      );
    });
  });
}

/** Of the whole page, and said there: what it shows is over before it can be cancelled. */
const mayBeOver = (block: Block, { output }: Outcome) =>
  block.text.includes("/cancel") && output.includes("message_not_running");

it("there are blocks, and each row of what cannot be carried out fits one", () => {
  expect(blocks.length).toBeGreaterThan(50);
  for (const [page, begins, why] of notHere) {
    const fits = blocks.filter((block) => page.test(block.page) && begins.test(block.text));
    expect(fits.length, why).toBeGreaterThan(0);
  }
});

it.each(pages.filter((page) => blocks.some((block) => block.page === page)))(
  "the commands of %s work as they stand",
  async (page) => {
    const mine = blocks.filter(
      (block) =>
        block.page === page &&
        !notHere.some(([pattern, begins]) => pattern.test(page) && begins.test(block.text)),
    );
    const outcomes = await carryOut(mine.map(({ text }) => filledIn(text)));
    const failed = mine.flatMap((block, index) => {
      const outcome = outcomes[index] ?? { code: -1, output: "" };
      return outcome.code === 0 || mayBeOver(block, outcome)
        ? []
        : [`${page}:${block.line} ended with ${outcome.code}\n${block.text}\n${outcome.output}`];
    });
    expect(failed).toEqual([]);
  },
  120_000,
);
