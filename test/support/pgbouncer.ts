import { existsSync } from "node:fs";
import { chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, missingBackend, ordinaryUser, startProgram } from "./backends.ts";

/** A real PgBouncer in transaction mode. */
export interface TestPgBouncer {
  /** The same database, through the pooler. */
  through(databaseUrl: string): string;
  stop(): Promise<void>;
}

/** In front of a server on loopback. Null, said aloud, where it is not installed. */
export async function startPgBouncer(
  serverPort: number,
  poolSize: number,
): Promise<TestPgBouncer | null> {
  const program = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin"]
    .map((directory) => join(directory, "pgbouncer"))
    .find((path) => existsSync(path));
  if (program === undefined) return missingBackend("pgbouncer", "install pgbouncer");
  const directory = await mkdtemp(join(tmpdir(), "chat-pgbouncer-"));
  const user = ordinaryUser();
  const port = await freePort();
  const settings = join(directory, "pgbouncer.ini");
  // "any" asks clients for nothing and logs in to the server as the user named here.
  await writeFile(
    settings,
    `[databases]
* = host=127.0.0.1 port=${serverPort} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 500
`,
  );
  if (user !== null)
    for (const path of [directory, settings]) await chown(path, user.uid, user.gid);
  const running = await startProgram(program, [settings], /process up/, { user, cwd: directory });
  return {
    through(databaseUrl) {
      const url = new URL(databaseUrl);
      url.port = String(port);
      return url.href;
    },
    async stop() {
      await running.end("SIGKILL");
      await rm(directory, { recursive: true, force: true });
    },
  };
}
