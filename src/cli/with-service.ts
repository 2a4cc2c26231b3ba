import { createHash, randomBytes } from "node:crypto";
import { readClientEnvironment } from "../config/client-environment.ts";
import type { Config } from "../config/settings.ts";
import { DataDirectoryInUse } from "../database/data-directory-lock.ts";
import { startService } from "../service.ts";
import { createLogger } from "../telemetry/create-logger.ts";
import { connectTo, type ServiceClient } from "./service-client.ts";
import { readSecretFile } from "./secret-file.ts";
import { UsageFault } from "./usage.ts";

interface Access {
  /** Of a running service; undefined: this process becomes a node of it for a moment. */
  readonly url?: string | undefined;
  readonly "token-file"?: string | undefined;
  readonly "api-key-file"?: string | undefined;
}

/** The options of every command that works on a user's data. */
export const accessOptions = {
  url: { type: "string" },
  "token-file": { type: "string" },
  "api-key-file": { type: "string" },
} as const;

export const accessHelp = `  --url URL            a running service; needs the token or key of an admin, or auth.mode open
  --token-file FILE    its token (CHAT_TOKEN)
  --api-key-file FILE  or key (CHAT_API_KEY)
  --config FILE        without --url: the configuration of the service, as for serve`;

/**
 * Gives `work` a client with an admin's rights: of the running service at `url`, or of a node that this process starts
 * on a free local port with a key that only it knows, and that does everything a node does: caches, running replies and
 * agents' memories are told too. Closes what it started.
 */
export async function withService<T>(
  config: Config,
  access: Access,
  work: (client: ServiceClient) => Promise<T>,
): Promise<T> {
  const environment = readClientEnvironment();
  const url = access.url ?? environment.url;
  if (url !== null) {
    return work(
      connectTo({
        url,
        token: readSecretFile(access["token-file"]) ?? environment.token,
        apiKey: readSecretFile(access["api-key-file"]) ?? environment.apiKey,
      }),
    );
  }
  const apiKey = randomBytes(32).toString("base64url");
  const log = createLogger(
    {
      ...config.logging,
      level: "ERROR",
      file_path: null,
      error_file_path: null,
      access_file_path: null,
    },
    config.service,
    { write: (text) => void process.stderr.write(text), isTerminal: process.stderr.isTTY },
  );
  try {
    const service = await startService(localNode(config, apiKey), log);
    try {
      return await work(connectTo({ url: service.url, token: null, apiKey }));
    } finally {
      await service.close();
    }
  } catch (error) {
    if (!(error instanceof DataDirectoryInUse)) throw error;
    throw new UsageFault(
      `${error.message}\nOr let the running service do it: --url http://${config.service.host}:${config.service.port}`,
      { cause: error },
    );
  } finally {
    await log.close();
  }
}

const localKey = "command line";

/** A node that nobody else finds, with one more admin. */
function localNode(config: Config, apiKey: string): Config {
  return {
    ...config,
    service: { ...config.service, host: "127.0.0.1", port: 0 },
    // Somebody is looking at the terminal.
    database: { ...config.database, wait_seconds: 0 },
    server: { ...config.server, shutdown_delay_seconds: 0 },
    gateway: { ...config.gateway, url: null },
    monitoring: { ...config.monitoring, otlp_endpoint: null },
    security: { ...config.security, allowed_hosts: ["*"] },
    auth: {
      ...config.auth,
      api_keys: [
        ...config.auth.api_keys.filter(({ name }) => name !== localKey),
        {
          name: localKey,
          sha256: createHash("sha256").update(apiKey).digest("hex"),
          user_id: "command-line",
          roles: ["admin"],
        },
      ],
    },
  };
}
