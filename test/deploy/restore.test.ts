import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { createClient } from "../support/client.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService } from "../support/start-service.ts";

const postgres = await startPostgres({ own: true });
afterAll(() => postgres?.stop());

/** The programs of a server may be newer than those on the path. */
function withPrograms(): string {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian)
    ? readdirSync(debian).map(Number).filter(Number.isFinite)
    : [];
  const newest = Math.max(0, ...versions);
  return `${debian}/${newest}/bin:${process.env["PATH"] ?? ""}`;
}

/** The shell blocks of "Back up and restore" for a server, word for word. */
async function documentedCommands(): Promise<string[]> {
  const page = await readFile(join(import.meta.dirname, "../../docs/operations.md"), "utf8");
  const section = /\*\*PostgreSQL server\.\*\*([^]*?)\*\*Embedded database\.\*\*/.exec(page)?.[1];
  return [...(section ?? "").matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block ?? "");
}

it.skipIf(postgres === null)(
  "the documented backup and restore, as an ordinary login, bring every conversation back",
  async () => {
    if (postgres === null) return;
    await postgres.query("CREATE ROLE chat LOGIN");
    await postgres.query("CREATE DATABASE chat OWNER chat");
    const at = (user: string, database: string) =>
      `postgresql://${user}@127.0.0.1:${postgres.port}/${database}`;
    const directory = await mkdtemp(join(tmpdir(), "chat-restore-"));
    const before = await startService({ env: { DATABASE_URL: at("chat", "chat") } });
    const body = { user_id: "ann", message: "12 * 12 = ?" };
    const sent = await createClient(before.url).send<{ session_id: string }>(
      "POST",
      "/chat/message",
      body,
    );
    const commands = await documentedCommands();
    expect(commands).toHaveLength(2);
    for (const command of commands) {
      await promisify(execFile)("bash", ["-euc", command], {
        cwd: directory,
        env: {
          PATH: withPrograms(),
          DATABASE_URL: at("chat", "chat"),
          ADMIN_URL: at("postgres", "postgres"),
          RESTORED_URL: at("chat", "chat_restored"),
        },
      });
    }
    await before.stop();
    const after = await startService({ env: { DATABASE_URL: at("chat", "chat_restored") } });
    const { body: history } = await createClient(after.url).get<{
      messages: { content: string }[];
    }>(`/chat/history/${sent.body.session_id}?user_id=ann`);
    expect(history.messages.map(({ content }) => content).join("\n")).toMatch(/12 \* 12[^]*144/);
    await after.stop();
    await rm(directory, { recursive: true });
  },
);
