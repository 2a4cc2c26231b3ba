import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Config } from "../config/settings.ts";
import { migrationState } from "../database/migrate.ts";
import { storeLines, type ExportedStore } from "../database/store-file.ts";
import { explainFile } from "../problems/explain-file.ts";
import { StartFault } from "../problems/start-fault.ts";
import { version } from "../version.ts";
import { createPrivately } from "./create-privately.ts";
import { openStore } from "./open-store.ts";
import type { Terminal } from "./terminal.ts";

/**
 * `chat-service export --all`: the whole store of `config` into a new file at `path`, or to standard output for `-`.
 * Returns the exit code. A file that could not be finished is removed.
 */
export async function exportStore(
  config: Config,
  path: string,
  terminal: Terminal,
): Promise<number> {
  const toTerminal = path === "-";
  await using store = await openStore(config);
  const { current } = await migrationState(store.database);
  const target = toTerminal ? terminal.output : await createPrivately(path);
  let made: ExportedStore | undefined;
  try {
    await store.database.transaction((tx) => {
      const lines = async function* lines() {
        made = yield* storeLines(tx, current, version);
      };
      const packing = path.endsWith(".gz") ? [createGzip()] : [];
      return pipeline([Readable.from(lines()), ...packing, target], { end: !toTerminal });
    });
  } catch (error) {
    if (!toTerminal) await rm(path, { force: true });
    throw explained(error, toTerminal ? "standard output" : path);
  }
  const receipt = { receipt: "export", file: toTerminal ? null : path, ...made };
  const shown = toTerminal ? terminal.errors : terminal.output;
  shown.write(`${JSON.stringify(receipt, null, 2)}\n`);
  return 0;
}

function explained(error: unknown, path: string): unknown {
  const isGone = (error as NodeJS.ErrnoException).code === "EPIPE";
  const why = isGone ? `${path} was closed` : explainFile(error, path, "the file's name");
  return why === null ? error : new StartFault(why, { cause: error });
}
