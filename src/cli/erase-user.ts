import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import type { Config } from "../config/settings.ts";
import { runCommand } from "./run-command.ts";
import type { ServiceClient } from "./service-client.ts";
import type { Terminal } from "./terminal.ts";
import { UsageFault } from "./usage.ts";
import { countOf, deleteSession, serviceOf, sessionsOf } from "./user-data.ts";
import { accessHelp, accessOptions, withService } from "./with-service.ts";

const help = `chat-service erase USER --yes [--receipt FILE] [options]

Deletes everything the service keeps of a user: sessions, messages, speech, and what agents remember of them where they
can forget. Without --yes it only counts. Prints a receipt. Backups are yours to erase.

  --yes                really do it
  --receipt FILE       write the receipt there too
${accessHelp}`;

/** New sessions that come while the old ones go are deleted too, but not for ever. */
const maxRounds = 1_000;

/** `chat-service erase`. Returns the exit code; 1 also when nothing was erased, for want of --yes or of such a user. */
export async function runErase(
  config: Config,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const options = {
    ...accessOptions,
    yes: { type: "boolean" },
    receipt: { type: "string" },
  } as const;
  return runCommand({ args, options, help }, terminal, async ({ values, positionals }) => {
    const [userId] = positionals;
    if (userId === undefined || positionals.length > 1) throw new UsageFault(help);
    return withService(config, values, async (client) => {
      if (values.yes !== true) {
        const { sessions, messages, audio } = await countOf(client, userId);
        terminal.output.write(
          `${userId} has ${sessions} sessions with ${messages} messages and ${audio} recordings. Nothing was erased: add --yes.\n`,
        );
        return 1;
      }
      const erased = await eraseUser(client, userId);
      const receipt = `${JSON.stringify(erased, null, 2)}\n`;
      terminal.output.write(receipt);
      if (values.receipt !== undefined) await writeFile(values.receipt, receipt, { mode: 0o600 });
      if (erased.found) return 0;
      terminal.errors.write(`Nothing was kept of ${userId}: is the name right?\n`);
      return 1;
    });
  });
}

async function eraseUser(client: ServiceClient, userId: string) {
  const about = { receipt: "erasure", user_id: userId, ...(await serviceOf(client)) };
  const startedAt = new Date().toISOString();
  const hash = createHash("sha256");
  let sessions = 0;
  let messages = 0;
  let audio = 0;
  for (let round = 0; ; round++) {
    let found = 0;
    audio += (await countOf(client, userId)).audio;
    for await (const session of sessionsOf(client, userId)) {
      found += 1;
      const sessionId = String(session["session_id"]);
      if (!(await deleteSession(client, userId, sessionId))) continue;
      sessions += 1;
      messages += Number(session["total_message_count"]);
      hash.update(`${sessionId}\n`);
    }
    if (found === 0) break;
    if (round >= maxRounds) {
      throw new UsageFault(
        `${userId} makes new sessions all the time; stop that first, then repeat`,
      );
    }
  }
  // After the last reply has ended: each writes a row.
  const { deleted: usage } = await client.request<{ deleted: number }>({
    method: "DELETE",
    path: "/usage",
    query: { user_id: userId },
  });
  // And what the agents of those replies have learned.
  const { deleted: memories, pending } = await client.request<{
    deleted: number;
    pending: boolean;
  }>({ method: "DELETE", path: "/chat/memories", query: { user_id: userId } });
  const left = await countOf(client, userId);
  return {
    ...about,
    /** Whether there was anything; a name that was mistyped has nothing to erase. */
    found: sessions + messages + audio + usage + memories > 0,
    sessions,
    messages,
    /** Recordings and stored speech. */
    audio,
    /** Rows of what replies have used. */
    usage,
    /** What agents remembered beside conversations; pending: one could not be asked, and will be until it has forgotten. */
    memories,
    memories_pending: pending,
    /** Of the deleted sessions' ids, one a line, in the order of deletion. */
    session_ids_sha256: hash.digest("hex"),
    verified: left.sessions === 0 && left.messages === 0 && left.audio === 0,
    started_at: startedAt,
    finished_at: new Date().toISOString(),
  };
}
