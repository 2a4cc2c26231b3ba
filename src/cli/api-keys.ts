import type { Config } from "../config/settings.ts";
import type { ServiceClient } from "./service-client.ts";
import { secondsOf } from "./duration.ts";
import { runCommand } from "./run-command.ts";
import type { Terminal } from "./terminal.ts";
import { UsageFault } from "./usage.ts";
import { accessHelp, accessOptions, withService } from "./with-service.ts";

const help = `chat-service keys [list|make NAME|revoke KEY_ID] [options]

API keys of services and front ends. A key that is made is printed once, alone on standard output; only its hash is kept.
One that is revoked is taken nowhere any more within two seconds.

  --user USER          whose it is; else its name
  --role ROLE          such as admin; may be given several times
  --scope SCOPE        such as send_message or agents:general-chat:run; may be given several times
  --acts-for-users     it acts for whomever its requests name: for Open WebUI, LibreChat and the like
  --on-disconnect WAY  continue or cancel: what becomes of a reply whose client closes the connection
  --expires 90d        so many s, m, h or d; else until it is revoked
  --all                list those that were revoked or have expired too
${accessHelp}`;

interface KeyInfo {
  readonly key_id: string;
  readonly name: string;
  readonly hint: string;
  readonly user_id: string;
  readonly scopes: readonly string[] | null;
  readonly acts_for_users: boolean;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
  readonly last_used_at: string | null;
}

/** `chat-service keys`. Returns the exit code. */
export async function runKeys(
  config: Config,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const options = {
    ...accessOptions,
    user: { type: "string" },
    role: { type: "string", multiple: true, default: [] as string[] },
    scope: { type: "string", multiple: true },
    "acts-for-users": { type: "boolean", default: false },
    "on-disconnect": { type: "string" },
    expires: { type: "string" },
    all: { type: "boolean", default: false },
  } as const;
  return runCommand({ args, options, help }, terminal, async ({ values, positionals }) => {
    const [act = "list", subject, ...surplus] = positionals;
    const needsSubject = act === "make" || act === "revoke";
    const isKnown = needsSubject || act === "list";
    if (!isKnown || surplus.length > 0 || (subject !== undefined) !== needsSubject) {
      throw new UsageFault(help);
    }
    const body = {
      name: subject,
      ...(values.user !== undefined && { user_id: values.user }),
      roles: values.role,
      ...(values.scope !== undefined && { scopes: values.scope }),
      acts_for_users: values["acts-for-users"],
      ...(values["on-disconnect"] !== undefined && { on_disconnect: values["on-disconnect"] }),
      ...(values.expires !== undefined && {
        expires_in: secondsOf(values.expires, "--expires", 3660),
      }),
    };
    return withService(config, values, async (client) => {
      if (act === "make") {
        const made = await client.request<{ key: string; api_key: KeyInfo }>({
          method: "POST",
          path: "/api-keys",
          body,
        });
        terminal.output.write(`${made.key}\n`);
        terminal.errors.write(`${lineOf(made.api_key)}\nIt is not shown again.\n`);
      } else if (act === "revoke") {
        const path = `/api-keys/${encodeURIComponent(subject ?? "")}`;
        const { api_key: key } = await client.request<{ api_key: KeyInfo }>(
          { method: "DELETE", path },
          { maxRetries: 0 },
        );
        terminal.output.write(`${lineOf(key)}\n`);
      } else {
        for await (const key of keysOf(client, values.all)) {
          terminal.output.write(`${lineOf(key)}\n`);
        }
      }
      return 0;
    });
  });
}

async function* keysOf(client: ServiceClient, withEnded: boolean): AsyncGenerator<KeyInfo> {
  let cursor: string | null = null;
  do {
    const query: object = { limit: 200, include_ended: withEnded, cursor };
    const page: {
      api_keys: readonly KeyInfo[];
      pagination: { next_cursor: string | null };
    } = await client.request({ method: "GET", path: "/api-keys", query: { ...query } });
    yield* page.api_keys;
    cursor = page.pagination.next_cursor;
  } while (cursor !== null);
}

function lineOf(key: KeyInfo): string {
  const told = [
    key.key_id,
    `${key.hint}…`,
    key.name,
    `user ${key.user_id}`,
    ...(key.acts_for_users ? ["acts for users"] : []),
    ...(key.scopes === null ? [] : [`scopes ${key.scopes.join(",") || "none"}`]),
    ...(key.expires_at === null ? [] : [`until ${key.expires_at}`]),
    key.revoked_at === null ? `used ${key.last_used_at ?? "never"}` : `revoked ${key.revoked_at}`,
  ];
  return told.join("  ");
}
