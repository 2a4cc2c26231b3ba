import type { Config } from "../config/settings.ts";
import type { Logger } from "../telemetry/logger.ts";
import { outageOf } from "../telemetry/outage.ts";
import { advertisedHost, isLoopback, serviceUrl } from "./advertised-address.ts";
import { createGatewayClient, type GatewayClient, type ServiceRecord } from "./gateway-client.ts";

/** How the registration stands, for `/health/detailed`. */
interface GatewayStatus {
  readonly registered: boolean;
  /** Path of the gateway's registry that took it. */
  readonly path: string | null;
  readonly instance_id: string | null;
  readonly advertised: string | null;
  readonly last_success_at: string | null;
  readonly failures_in_a_row: number;
  /** Why the last attempt failed; nothing that the gateway sent. */
  readonly problem: string | null;
}

/**
 * Keeps this node in a gateway's registry. The registry forgets everything when the gateway restarts, so the
 * registration is repeated for as long as the node lives. Nothing here raises, and nothing waits for it.
 */
export interface GatewayRegistration {
  /** Begins, with the port the service listens on, and returns at once. */
  start(listeningPort: number): void;
  /** Ends and takes the node out of the registry, within about 3 s whatever the gateway does. May be called twice. */
  stop(): Promise<void>;
  status(): GatewayStatus;
}

interface GatewayRegistrationOptions {
  readonly config: Pick<Config, "gateway" | "server" | "service">;
  /** Of the service. */
  readonly version: string;
  readonly log: Logger;
  /** 0..1, for the jitter. */
  readonly random?: () => number;
}

const stopWaitMs = 1_000;
const deregisterTimeoutMs = 2_000;

/** Null where no gateway is configured. */
export function createGatewayRegistration({
  config,
  version,
  log,
  random = Math.random,
}: GatewayRegistrationOptions): GatewayRegistration | null {
  const { gateway } = config;
  if (gateway.url === null) return null;
  const client = createGatewayClient({
    url: gateway.url,
    apiKey: gateway.api_key,
    registerPath: gateway.register_path,
  });
  const intervalMs = gateway.health_check_interval * 1000;
  return keepRegistered({
    client,
    gatewayHost: new URL(gateway.url).hostname,
    intervalMs,
    log,
    random,
    recordFor: (port) => serviceRecord(config, version, port),
  });
}

function keepRegistered({
  client,
  gatewayHost,
  intervalMs,
  log,
  random,
  recordFor,
}: {
  client: GatewayClient;
  gatewayHost: string;
  intervalMs: number;
  log: Logger;
  random: () => number;
  recordFor: (port: number) => ServiceRecord;
}): GatewayRegistration {
  const outage = outageOf(log, "gateway");
  const stopping = new AbortController();
  let record: ServiceRecord | null = null;
  let timer: NodeJS.Timeout | null = null;
  let attempt: Promise<void> = Promise.resolve();
  let stopped: Promise<void> | null = null;
  let registered = false;
  let lastSuccessAt: string | null = null;
  let failuresInRow = 0;
  let problem: string | null = null;

  async function tryOnce(current: ServiceRecord): Promise<void> {
    try {
      await client.register(current, stopping.signal);
      if (lastSuccessAt === null) log.info({ path: client.path() }, "registered with the gateway");
      outage.back();
      registered = true;
      failuresInRow = 0;
      problem = null;
      lastSuccessAt = new Date().toISOString();
    } catch (error) {
      if (stopping.signal.aborted) return;
      problem = error instanceof Error ? error.message : "unknown";
      outage.lost(problem, error);
      registered = false;
      failuresInRow++;
    }
  }

  function loop(current: ServiceRecord): void {
    attempt = tryOnce(current).then(() => {
      if (stopping.signal.aborted || stopped !== null) return;
      timer = setTimeout(() => loop(current), nextDelayMs(failuresInRow, intervalMs, random()));
      // A process with nothing else to do may end.
      timer.unref();
    });
  }

  async function end(): Promise<void> {
    if (timer !== null) clearTimeout(timer);
    // Let a registration under way arrive, so that it cannot come after its own removal.
    const waited = Promise.withResolvers<void>();
    const patience = setTimeout(waited.resolve, stopWaitMs);
    await Promise.race([attempt, waited.promise]);
    clearTimeout(patience);
    stopping.abort();
    await attempt;
    if (record !== null) await client.deregister(record, deregisterTimeoutMs);
    registered = false;
  }

  return {
    start(listeningPort) {
      if (record !== null || stopped !== null) return;
      record = recordFor(listeningPort);
      const host = String(record["host"]);
      if (isLoopback(host) && !isLoopback(gatewayHost)) {
        log.warn({ host }, "the gateway cannot reach this node there: set gateway.advertise_host");
      }
      loop(record);
    },
    stop() {
      stopped ??= end();
      return stopped;
    },
    status: () => ({
      registered,
      path: client.path(),
      instance_id: record?.instance_id ?? null,
      advertised: typeof record?.["service_url"] === "string" ? record["service_url"] : null,
      last_success_at: lastSuccessAt,
      failures_in_a_row: failuresInRow,
      problem,
    }),
  };
}

/**
 * After success a tenth more or less than the interval, so that nodes started together spread out. After faults from
 * a second on, doubled each time, never slower than the interval: a gateway that is back learns of us no later than
 * from a registration that went well. `random` is 0..1.
 */
export function nextDelayMs(failuresInRow: number, intervalMs: number, random: number): number {
  if (failuresInRow === 0) return intervalMs * (0.9 + 0.2 * random);
  const backOffMs = Math.min(intervalMs, 1_000 * 2 ** Math.min(failuresInRow - 1, 20));
  return backOffMs * (0.5 + 0.5 * random);
}

function serviceRecord(
  { gateway, server, service }: GatewayRegistrationOptions["config"],
  version: string,
  listeningPort: number,
): ServiceRecord {
  const host = advertisedHost(gateway.advertise_host, service.host);
  const port = gateway.advertise_port ?? listeningPort;
  const instanceId = gateway.service_id ?? `${service.name}-${host}-${port}`;
  // Gateways put their prefix in front of what they are told, so the longest of ours is what siblings expect.
  const prefix = server.prefixes.toSorted((a, b) => b.length - a.length)[0] ?? "";
  return {
    service_name: service.name,
    service_id: instanceId,
    instance_id: instanceId,
    service_type: "chat",
    version,
    description: "Conversations with AI agents: sessions, streamed replies, history, voice",
    host,
    port,
    service_url: serviceUrl(host, port),
    health_check_url: "/health",
    health_check_path: "/health",
    weight: gateway.weight,
    endpoints: {
      chat: `${prefix}/chat`,
      sessions: `${prefix}/sessions`,
      voice: `${prefix}/chat/voice`,
      health: "/health",
    },
    metadata: { environment: service.environment, version, protocol: "http", streaming: "sse" },
  };
}
