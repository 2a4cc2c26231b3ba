import type { Config } from "../config/settings.ts";
import { copyDatabase } from "../database/copy-database.ts";
import { openStore } from "./open-store.ts";
import { runCommand } from "./run-command.ts";
import type { Terminal } from "./terminal.ts";
import { UsageFault } from "./usage.ts";

const help = `DATABASE_URL=postgresql://… chat-service move [--config FILE]

Copies everything that the embedded database in SERVICE_DATA_DIR holds into the PostgreSQL server of DATABASE_URL: all
conversations with their files and sound. The service has to be stopped, and the database there empty. All is copied or
nothing; the embedded database stays as it is.`;

/** `chat-service move`. Returns the exit code. */
export async function runMove(
  config: Config,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  return runCommand({ args, options: {}, help }, terminal, async ({ positionals }) => {
    if (positionals.length > 0) throw new UsageFault(help);
    if (config.database.url === null) {
      throw new UsageFault(`DATABASE_URL has to name the server to move to.\n\n${help}`);
    }
    const toOpen = { ...config, database: { ...config.database, url: null } };
    await using from = await openStore(toOpen);
    await using to = await openStore(config);
    const moved = await copyDatabase(from.database, to.database);
    terminal.output.write(`${JSON.stringify({ receipt: "move", moved }, null, 2)}\n`);
    return 0;
  });
}
