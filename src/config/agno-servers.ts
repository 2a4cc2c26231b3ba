import type { AgnoServer } from "./sections/agents.ts";
import type { Config } from "./settings.ts";

/** Name of the server of `agno.api_url` among those of `agno.servers`. */
const defaultAgnoServerName = "agno";

/**
 * Every AgentOS server that is configured: the one of `agno.api_url`, named "agno", before those of
 * `agno.servers`; just the latter if it is listed there as well. Names and addresses are unique.
 * A key belongs to its own server: `agno.api_key` is sent to no other.
 */
export function agnoServers(
  agno: Pick<Config["agno"], "api_url" | "api_key" | "api_key_file" | "servers">,
): readonly AgnoServer[] {
  const { api_url, api_key, api_key_file, servers } = agno;
  if (api_url === null || servers.some((server) => sameAddress(server.api_url, api_url))) {
    return servers;
  }
  const first = {
    name: defaultAgnoServerName,
    api_url,
    ...(api_key === null ? {} : { api_key }),
    ...(api_key_file === null ? {} : { api_key_file }),
  };
  return [first, ...servers];
}

/** What the address and the key of a server are called where they are set. */
export function agnoSettings(
  { name, api_key_file: file }: AgnoServer,
  agno: Pick<Config["agno"], "servers">,
): { readonly address: string; readonly key: string } {
  const key = file === undefined ? "api_key" : "api_key_file";
  return agno.servers.some((server) => server.name === name)
    ? { address: `api_url of ${name} in agno.servers`, key: `${key} of ${name} in agno.servers` }
    : { address: "AGNO_API_URL", key: `AGNO_${key.toUpperCase()}` };
}

/** Whether two URLs lead to the same place, whatever the spelling. */
export function sameAddress(one: string, other: string): boolean {
  return normalised(one) === normalised(other);
}

function normalised(url: string): string {
  return (URL.parse(url)?.href ?? url).replace(/\/+$/, "");
}
