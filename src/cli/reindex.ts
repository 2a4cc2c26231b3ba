import { openDatabase } from "../composition/open-database.ts";
import type { Config } from "../config/settings.ts";
import { beginAnew, takeUpAgain } from "../search/search-index.ts";
import { searchRule } from "../search/terms.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { runCommand } from "./run-command.ts";
import type { Terminal } from "./terminal.ts";
import { UsageFault } from "./usage.ts";

const help = `chat-service reindex [--all] [--config FILE]

Has what could not be made searchable tried again: messages and titles that were given up, told by
chat_outbox_entries{outbox="search",state="dead"}. The nodes do it, within a minute; where the database is the embedded
one the service has to be stopped for this command, and does it when it runs again.

  --all   everything else is made searchable anew too, in the background; what there is stays until then`;

/** `chat-service reindex`. Returns the exit code. */
export async function runReindex(
  config: Config,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const options = { all: { type: "boolean" } } as const;
  return runCommand({ args, options, help }, terminal, async ({ values, positionals }) => {
    if (positionals.length > 0) throw new UsageFault(help);
    await using opened = await openDatabase(config, silentLogger).then((database) => ({
      database,
      [Symbol.asyncDispose]: () => database.close(),
    }));
    const texts = await takeUpAgain(opened.database, searchRule + 1);
    if (values.all === true) await beginAnew(opened.database);
    const rest = values.all === true ? "; everything else is made searchable anew" : "";
    terminal.output.write(`given-up texts that are tried again: ${texts}${rest}\n`);
    return 0;
  });
}
