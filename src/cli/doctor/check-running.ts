import { configuredBackends, createAgentBackends } from "../../composition/agent-backends.ts";
import type { Config } from "../../config/settings.ts";
import { localUrl } from "../../gateway/advertised-address.ts";
import { askHealth } from "../../http/ask-health.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import type { Finding } from "./finding.ts";
import { sayDetails } from "./say-details.ts";
import { unwaited } from "../../lib/unwaited.ts";

const timeoutMs = 15_000;
const name = "running service";

interface Detailed {
  readonly dependencies: Readonly<
    Record<string, { readonly status: string; readonly details: Readonly<Record<string, unknown>> }>
  >;
}

interface Told {
  readonly environment: string;
  readonly features: { readonly authentication: string };
}

/**
 * What a service that runs at this address already says of itself, and whether it has the settings that this doctor
 * looks at: it may have been started with others. Nothing where none runs.
 */
export async function checkRunning(config: Config): Promise<Finding[]> {
  const { host, port } = config.service;
  const url = localUrl(host, port);
  if (port === 0 || (await askHealth(url)) === null) return [];
  const { monitoring } = config;
  const detailsUrl =
    monitoring.port === null ? url : localUrl(monitoring.host ?? host, monitoring.port);
  const [detailed, told] = await Promise.all([
    ask<Detailed>(`${detailsUrl}/health/detailed`, monitoring.token),
    ask<Told>(`${url}/health/config`),
  ]);
  return [checkSameSettings(config, detailed, told), ...sick(detailed)];
}

async function ask<T>(url: string, token: string | null = null): Promise<T> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(timeoutMs),
    ...(token !== null && { headers: { authorization: `Bearer ${token}` } }),
  });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return (await response.json()) as T;
}

function checkSameSettings(config: Config, { dependencies }: Detailed, told: Told): Finding {
  const backends = createAgentBackends(config, silentLogger);
  const here: Readonly<Record<string, string>> = {
    environment: config.service.environment,
    "auth.mode": config.auth.mode,
    database: config.database.url === null ? "embedded PostgreSQL" : "PostgreSQL",
    redis: connected(config.redis.url !== null),
    ...Object.fromEntries(
      backends.map(({ source, backend }) => [source, connected(backend !== null)]),
    ),
    gateway: connected(config.gateway.url !== null),
    base_service: connected(config.base_service.url !== null),
  };
  unwaited(Promise.all(configuredBackends(backends).map((backend) => backend.close())));
  const driver = dependencies["database"]?.details["driver"];
  const there: Readonly<Record<string, string>> = {
    ...Object.fromEntries(
      Object.entries(dependencies).map(([dependency, { status }]) => [
        dependency,
        connected(status !== "disabled"),
      ]),
    ),
    environment: told.environment,
    "auth.mode": told.features.authentication,
    // One that is away does not say what it is.
    ...(typeof driver === "string" && { database: driver }),
  };
  const differences = Object.entries(here)
    .filter(([what, value]) => there[what] !== undefined && there[what] !== value)
    .map(([what, value]) => `${what} is ${there[what]} there and ${value} here`);
  return differences.length === 0
    ? { name, status: "ok", found: "has the settings of this terminal, as far as it tells" }
    : {
        name,
        status: "fail",
        found: `has other settings than this terminal: ${differences.join("; ")}. What else is said here is about these, not about it`,
        remedy:
          "Start the doctor with the environment and --config of the service, or restart the service with those of this terminal",
      };
}

function connected(is: boolean): string {
  return is ? "configured" : "not configured";
}

/** What the running service cannot reach. */
function sick({ dependencies }: Detailed): Finding[] {
  return Object.entries(dependencies)
    .filter(([, { status }]) => status === "unhealthy" || status === "degraded")
    .map(([dependency, { status, details }]) => {
      const { remedy, ...more } = details;
      const told = sayDetails(more);
      return {
        name,
        status: "fail",
        found: `says that ${dependency} is ${status}${told === "" ? "" : ` (${told})`}`,
        remedy: typeof remedy === "string" ? remedy : `Look at its log for ${dependency}`,
      };
    });
}
