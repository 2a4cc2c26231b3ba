import { createHash } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Config } from "../config/settings.ts";
import type { ApiClient } from "./api-client.ts";
import { explainFault } from "./explain-fault.ts";
import type { Terminal } from "./terminal.ts";
import { parseCommand, UsageFault } from "./usage.ts";
import { messagesOf, serviceOf, sessionsOf, type Item } from "./user-data.ts";
import { accessHelp, accessOptions, withService } from "./with-service.ts";

const help = `chat-service export USER [--output FILE] [options]

Writes everything the service keeps of a user, as one JSON object a line: the sessions, each followed by its messages.
Prints a receipt with the counts and the file's SHA-256.

  --output FILE        must not exist; - for standard output. Default: export-USER-DATE.jsonl
${accessHelp}`;

/** `chat-service export`. Returns the exit code. */
export async function runExport(
  config: Config,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  try {
    const { values, positionals } = parseCommand(
      args,
      { ...accessOptions, output: { type: "string" } },
      help,
    );
    if (values.help === true) {
      terminal.output.write(`${help}\n`);
      return 0;
    }
    const [userId] = positionals;
    if (userId === undefined || positionals.length > 1) throw new UsageFault(help);
    const path = values.output ?? defaultPath(userId);
    const toTerminal = path === "-";
    const receipt = await withService(
      config,
      {
        url: values.url,
        "token-file": values["token-file"],
        "api-key-file": values["api-key-file"],
      },
      async (client) => {
        const target = toTerminal ? terminal.output : await createPrivately(path);
        const made = await exportUser(client, userId, target);
        if (!toTerminal) {
          target.end();
          await finished(target);
        }
        return { receipt: "export", file: toTerminal ? null : path, ...made };
      },
    );
    const shown = toTerminal ? terminal.errors : terminal.output;
    shown.write(`${JSON.stringify(receipt, null, 2)}\n`);
    return 0;
  } catch (error) {
    return explainFault(error, terminal);
  }
}

/** Writes line by line, so that the size of a history does not matter. */
async function exportUser(client: ApiClient, userId: string, target: Writable) {
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

function defaultPath(userId: string): string {
  const name = userId.replaceAll(/[^\w.@-]/g, "_");
  return `export-${name}-${new Date().toISOString().slice(0, 10)}.jsonl`;
}

/** For the owner's eyes only. */
async function createPrivately(path: string): Promise<Writable> {
  try {
    const file = await open(path, "wx", 0o600);
    return createWriteStream(path, { fd: file });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const fault = code === "EEXIST" ? "exists already" : `cannot be written (${code})`;
    throw new UsageFault(`${path} ${fault}; name another with --output`, { cause: error });
  }
}
