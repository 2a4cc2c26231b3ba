import { createReadStream } from "node:fs";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Config } from "../config/settings.ts";
import { importFile, importStream } from "../database/import-store.ts";
import { migrationState } from "../database/migrate.ts";
import { StartFault } from "../problems/start-fault.ts";
import { openStore } from "./open-store.ts";
import { runCommand } from "./run-command.ts";
import type { Terminal } from "./terminal.ts";
import { UsageFault } from "./usage.ts";

const help = `chat-service import FILE|- [--config FILE]

Reads what \`chat-service export --all\` has written into the database of the configuration, embedded or on a server, which
has to be empty and of the same version; no service may run on it. Prints a receipt; \`verified\` says that what is there was
counted and is what the file has. A file that is damaged is refused before anything is written. After an interruption run
the same again: it goes on where it was, and until it is finished the service does not start.

  -   from standard input: in one transaction, all or nothing`;

/** `chat-service import`. Returns the exit code. */
export async function runImport(
  config: Config,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  return runCommand({ args, options: {}, help }, terminal, async ({ positionals }) => {
    const [path] = positionals;
    if (path === undefined || positionals.length > 1) throw new UsageFault(help);
    await using store = await openStore(config);
    const { current } = await migrationState(store.database);
    const { resumedBehindLine, ...imported } = await (path === "-"
      ? importStream(store.database, current, terminal.input)
      : importFile(store.database, current, () => bytesOf(path)));
    const receipt = {
      receipt: "import",
      file: path === "-" ? null : path,
      ...imported,
      ...(resumedBehindLine > 1 && { resumed_behind_line: resumedBehindLine }),
    };
    terminal.output.write(`${JSON.stringify(receipt, null, 2)}\n`);
    return imported.verified ? 0 : 1;
  });
}

/** Raises StartFault where the file cannot be read. */
async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  const file: Readable = createReadStream(path);
  try {
    yield* path.endsWith(".gz") ? pipeline(file, createGunzip(), () => {}) : file;
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (code.startsWith("Z_")) {
      throw new StartFault(`${path} is no whole gzip file (${message}). Nothing of it was kept`, {
        cause: error,
      });
    }
    const isMissing = code === "ENOENT";
    if (!isMissing && !/^E[A-Z]+$/.test(code)) throw error;
    throw new StartFault(`${path} ${isMissing ? "is not there" : `cannot be read (${code})`}`, {
      cause: error,
    });
  }
}
