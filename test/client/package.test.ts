import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startService, type TestService } from "../support/start-service.ts";

const root = join(import.meta.dirname, "../..");
const source = join(root, "packages/client");
const run = promisify(execFile);

/** Every Node of this machine that the package is for. */
function nodes(): string[] {
  const found = (process.env["PATH"] ?? "").split(":").map((each) => join(each, "node"));
  const versions = new Map(
    [process.execPath, ...found].filter(existsSync).map((path) => {
      const version = execFileSync(path, ["--version"], { encoding: "utf8" });
      return [Number(/^v(\d+)/.exec(version)?.[1]), path];
    }),
  );
  return [...versions].filter(([major]) => major >= 20).map(([, path]) => path);
}

/** The first block of the README in a language. */
async function block(language: string): Promise<string> {
  const text = await readFile(join(source, "README.md"), "utf8");
  return new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(text)?.[1] ?? "";
}

describe("the package, as it is installed", () => {
  let directory: string;
  let installed: string;
  let service: TestService;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "chat-client-"));
    installed = join(directory, "node_modules/chat-service-client");
    await mkdir(installed, { recursive: true });
    execFileSync(process.execPath, [
      join(root, "scripts/build-client.ts"),
      join(installed, "dist"),
    ]);
    await cp(join(source, "package.json"), join(installed, "package.json"));
    for (const name of ["react", "@types"]) {
      await symlink(join(root, "node_modules", name), join(directory, "node_modules", name));
    }
    service = await startService();
  });
  afterAll(async () => {
    await service.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it("is less than 10 KiB over the wire, and brings nothing along", async () => {
    const sizes = await Promise.all(
      ["index", "react"].map(async (entry) => {
        const [output] = (await build({
          configFile: false,
          logLevel: "silent",
          build: {
            write: false,
            target: "es2022",
            minify: true,
            lib: { entry: join(installed, `dist/${entry}.js`), formats: ["es"] },
            rolldownOptions: { external: ["react"] },
          },
        })) as Rolldown.RolldownOutput[];
        const [chunk] = output?.output ?? [];
        expect(chunk?.imports).toEqual(entry === "react" ? ["react"] : []);
        return gzipSync(chunk?.code ?? "", { level: 9 }).length;
      }),
    );
    expect(sizes[0]).toBeGreaterThan(1_000);
    for (const size of sizes) expect(size).toBeLessThan(10 * 1024);
    const { dependencies } = JSON.parse(await readFile(join(source, "package.json"), "utf8")) as {
      dependencies?: object;
    };
    expect(dependencies).toBeUndefined();
  });

  it("works as its README begins, with every Node that it is for", async () => {
    const lines = (await block("js")).replace("http://127.0.0.1:8001", service.url);
    expect(lines.trim().split("\n").length).toBeLessThanOrEqual(10);
    await writeFile(join(directory, "begin.mjs"), lines);
    for (const node of nodes()) {
      const { stdout } = await run(node, ["begin.mjs"], { cwd: directory });
      expect(stdout).toContain("144");
      expect(stdout.trimEnd().split("\n").at(-1)).toContain("5");
    }
  });

  it("has types for browsers and for Node, for what its README and the example show", async () => {
    await cp(join(root, "examples/react-page"), join(directory, "page"), { recursive: true });
    await mkdir(join(directory, "node"));
    await writeFile(
      join(directory, "node/index.mts"),
      `${(await block("js")).replace("event.chunk)", "event.chunk satisfies string)")}
       import { ApiError, type Message } from "chat-service-client";
       const error: unknown = null;
       if (error instanceof ApiError) console.log(error.type satisfies string, error.retryAfterSeconds);
       // @ts-expect-error: such a member is not known
       client.send({ message: "x", nonsense: 1 });
       const { messages } = await client.messages.history("x");
       console.log(messages satisfies readonly Message[]);`,
    );
    await writeFile(
      join(directory, "node/tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          module: "nodenext",
          target: "es2022",
          lib: ["es2023"],
          types: ["node"],
          strict: true,
          noEmit: true,
        },
      }),
    );
    const tsc = join(root, "node_modules/.bin/tsc");
    for (const project of ["page", "node"]) {
      const { stdout } = await run(tsc, ["-p", project], { cwd: directory }).catch(
        (error: unknown) => error as { stdout: string },
      );
      expect(stdout).toBe("");
    }
  });

  it("is what the example of a bot needs", async () => {
    await cp(join(root, "examples/node-bot/bot.js"), join(directory, "bot.mjs"));
    const bot = execFile(process.execPath, ["bot.mjs"], {
      cwd: directory,
      env: { CHAT_URL: service.url, BOT_PORT: "0" },
    });
    const url = await new Promise<string>((resolve, reject) => {
      bot.stderr?.on("data", reject);
      bot.stdout?.on("data", (text: string) => resolve(/http:\S+/.exec(text)?.[0] ?? ""));
    });
    const ask = async (text: string) => {
      const body = JSON.stringify({ room: "kitchen", user: "ann", text });
      return (await (await fetch(url, { method: "POST", body })).json()) as { text: string };
    };
    for (const question of ["How are you?", "And now?"])
      expect((await ask(question)).text).not.toBe("");
    const answer = await fetch(`${service.url}/sessions?user_id=room-bot`);
    const { sessions } = (await answer.json()) as { sessions: { message_count: number }[] };
    expect(sessions.map(({ message_count: count }) => count)).toEqual([4]);
    bot.kill();
  });
});
