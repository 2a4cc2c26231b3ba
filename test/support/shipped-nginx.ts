import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { freePort } from "./backends.ts";

/** nginx with the file that is shipped; only addresses and places are those of this machine. */
export interface ShippedNginx {
  readonly url: string;
  /** What it has complained of. */
  errors(): Promise<string>;
  stop(): Promise<void>;
}

const shipped = join(import.meta.dirname, "../../deploy/nginx.conf");

/** `nodes`: host and port of chat-1 and chat-2. Resolves when the first answers through it. */
export async function startShippedNginx(
  program: string,
  nodes: readonly [string, string],
): Promise<ShippedNginx> {
  const directory = await mkdtemp(join(tmpdir(), "chat-nginx-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const text = await readFile(shipped, "utf8");
  const here = text
    .replaceAll("/tmp/nginx", `${directory}/nginx`)
    .replaceAll("/dev/stdout", `${directory}/access.log`)
    .replaceAll("/dev/stderr", `${directory}/error.log`)
    // Addresses need no looking up, and older versions cannot.
    .replace("server chat-1:8001 resolve", `server ${nodes[0]}`)
    .replace("server chat-2:8001 resolve", `server ${nodes[1]}`)
    .replace("listen 8080", `listen 127.0.0.1:${port}`);
  await writeFile(join(directory, "nginx.conf"), here);
  const nginx = spawn(program, ["-c", join(directory, "nginx.conf"), "-g", "daemon off;"], {
    stdio: "inherit",
  });
  await vi.waitFor(async () => expect((await fetch(`${url}/health`)).status).toBe(200), 10_000);
  return {
    url,
    errors: () => readFile(join(directory, "error.log"), "utf8"),
    async stop() {
      nginx.kill("SIGTERM");
      await once(nginx, "exit");
      await rm(directory, { recursive: true });
    },
  };
}
