import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Config } from "../config/settings.ts";
import type { ServiceClient } from "./service-client.ts";
import { createPrivately } from "./create-privately.ts";
import { exportStore } from "./export-store.ts";
import { runCommand } from "./run-command.ts";
import type { Terminal } from "./terminal.ts";
import { UsageFault } from "./usage.ts";
import { messagesOf, serviceOf, sessionsOf, type Item } from "./user-data.ts";
import { accessHelp, accessOptions, withService } from "./with-service.ts";

const help = `chat-service export USER [--output FILE] [options]
chat-service export --all [FILE|-] [--config FILE]

Writes everything the service keeps of a user, as one JSON object a line: the sessions, each followed by its messages.
Prints a receipt with the counts and the file's SHA-256.

  --output FILE        must not exist; - for standard output. Default: export-USER-DATE.jsonl
${accessHelp}

--all writes the whole store: all users with their conversations, files and sound, what they used, and what is still to be
done. The file has one row of the database a line, as of one moment, and is compressed when its name ends in .gz;
\`chat-service import\` reads it. A server may be in use meanwhile; of an embedded database the service has to be stopped.
Default: store-DATE.jsonl.gz`;

/** `chat-service export`. Returns the exit code. */
export async function runExport(
  config: Config,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const options = {
    ...accessOptions,
    output: { type: "string" },
    all: { type: "boolean" },
  } as const;
  return runCommand({ args, options, help }, terminal, async ({ values, positionals }) => {
    if (values.all === true) {
      const [file = values.output, ...surplus] = positionals;
      const isRemote = [values.url, values["token-file"], values["api-key-file"]].some(Boolean);
      if (surplus.length > 0 || isRemote) throw new UsageFault(help);
      return await exportStore(config, file ?? defaultPath("store", ".gz"), terminal);
    }
    const [userId] = positionals;
    if (userId === undefined || positionals.length > 1) throw new UsageFault(help);
    const path = values.output ?? defaultPath(`export-${userId}`);
    const toTerminal = path === "-";
    const receipt = await withService(config, values, async (client) => {
      const target = toTerminal ? terminal.output : await createPrivately(path);
      const made = await exportUser(client, userId, target);
      if (!toTerminal) {
        target.end();
        await finished(target);
      }
      return { receipt: "export", file: toTerminal ? null : path, ...made };
    });
    const shown = toTerminal ? terminal.errors : terminal.output;
    shown.write(`${JSON.stringify(receipt, null, 2)}\n`);
    return 0;
  });
}

/** Writes line by line, so that the size of a history does not matter. */
async function exportUser(client: ServiceClient, userId: string, target: Writable) {
  const hash = createHash("sha256");
  let bytes = 0;
  const write = async (item: Item) => {
    const line = Buffer.from(`${JSON.stringify(item)}\n`);
    hash.update(line);
    bytes += line.length;
    if (!target.write(line)) await once(target, "drain");
  };
  const about = { user_id: userId, ...(await serviceOf(client)) };
  const startedAt = new Date().toISOString();
  let sessions = 0;
  let messages = 0;
  await write({ type: "export", format: 1, ...about, started_at: startedAt });
  for await (const session of sessionsOf(client, userId)) {
    await write({ type: "session", ...session });
    sessions += 1;
    for await (const message of messagesOf(client, userId, String(session["session_id"]))) {
      await write({ type: "message", ...message });
      messages += 1;
    }
  }
  const finishedAt = new Date().toISOString();
  await write({ type: "end", sessions, messages, finished_at: finishedAt });
  return {
    ...about,
    sessions,
    messages,
    bytes,
    sha256: hash.digest("hex"),
    started_at: startedAt,
    finished_at: finishedAt,
  };
}

function defaultPath(what: string, ending = ""): string {
  const name = what.replaceAll(/[^\w.@-]/g, "_");
  return `${name}-${new Date().toISOString().slice(0, 10)}.jsonl${ending}`;
}
