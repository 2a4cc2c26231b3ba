import { execFile, execFileSync, spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { createClient } from "../support/client.ts";
import { createDataDir } from "../support/start-service.ts";

const bin = join(import.meta.dirname, "../../bin/chat-service.mjs");

/** A Node of this machine that is too old for the service, if it has one. */
function olderNode(): string | null {
  for (const directory of (process.env["PATH"] ?? "").split(":")) {
    const path = join(directory, "node");
    if (directory.includes("node_modules") || !existsSync(path)) continue;
    const version = execFileSync(path, ["--version"], { encoding: "utf8" });
    if (Number(/^v(\d+)/.exec(version)?.[1]) < 24) return path;
  }
  return null;
}

/** Where it listens, once it does. */
async function readyUrl(child: ChildProcessByStdio<null, Readable, null>): Promise<string> {
  for await (const line of createInterface({ input: child.stdout })) {
    const url =
      /Chat Service is ready.*?(http:[^"\s]+)|"url":"([^"]+)".*Chat Service is ready/.exec(line);
    if (url !== null) return url[1] ?? url[2] ?? "";
  }
  throw new Error("it ended before it was ready");
}

describe("bin/chat-service.mjs", () => {
  it("runs with this Node", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [bin, "config"], {
      env: { PORT: "4321" },
    });
    expect(stdout).toMatch(/4321/);
  });

  it("loads no compiler of TypeScript once its files have been read", async () => {
    const tell = `process.on("exit", () => console.error(process.moduleLoadList.some((name) => name.includes("amaro"))))`;
    const run = () =>
      promisify(execFile)(
        process.execPath,
        ["--import", `data:text/javascript,${encodeURIComponent(tell)}`, bin, "config"],
        { env: {} },
      );
    await run();
    expect((await run()).stderr).toBe("false\n");
  });

  it("runs where it is installed as a package, its threads too", async () => {
    const parent = await mkdtemp(join(tmpdir(), "chat-package-"));
    const installed = join(parent, "node_modules", "chat-service");
    const root = join(import.meta.dirname, "../..");
    // What npm would pack, and nothing else.
    const packing = ["pack", "--dry-run", "--json", "--ignore-scripts"];
    const { stdout: packed } = await promisify(execFile)("npm", packing, { cwd: root });
    const [{ files }] = JSON.parse(packed) as [{ files: { path: string }[] }];
    expect(files.filter(({ path }) => path.includes(".test."))).toEqual([]);
    for (const { path } of files) await cp(join(root, path), join(installed, path));
    await symlink(join(root, "node_modules"), join(installed, "node_modules"));
    const dataDir = await createDataDir();
    const child = spawn(process.execPath, [join(installed, "bin/chat-service.mjs")], {
      cwd: dataDir,
      env: { SERVICE_DATA_DIR: dataDir, SERVICE_ENVIRONMENT: "test", PORT: "0" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const { body } = await createClient(await readyUrl(child)).send<{ response: string }>(
      "POST",
      "/chat/message",
      { user_id: "ann", message: "12 * 12 = ?" },
    );
    expect(body.response).toContain("144");
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
    await rm(parent, { recursive: true });
    await rm(dataDir, { recursive: true });
  });

  it("runs with the Node beside it where this one is too old, and passes signals and exit codes on", async (context) => {
    const node = olderNode();
    if (node === null) return context.skip();
    const failing = promisify(execFile)(node, [bin, "config"], { env: { PORT: "x" } });
    await expect(failing).rejects.toMatchObject({ code: 2 });

    const dataDir = await createDataDir();
    const child = spawn(node, [bin, "serve"], {
      cwd: dataDir,
      env: {
        PATH: process.env["PATH"],
        SERVICE_DATA_DIR: dataDir,
        SERVICE_ENVIRONMENT: "test",
        PORT: "0",
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    await readyUrl(child);
    child.kill("SIGTERM");
    const [code] = (await once(child, "exit")) as [number];
    expect(code).toBe(0);
    await rm(dataDir, { recursive: true });
  });
});
