import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { settleStoredBytes } from "./attachments/storage-quota.ts";
import { createClosing } from "./composition/closing.ts";
import { listenBacklog } from "./composition/connection-limits.ts";
import { openConversations } from "./composition/conversations.ts";
import { openDoors } from "./composition/doors.ts";
import type { Siblings } from "./composition/workers/siblings.ts";
import { openFloors } from "./composition/floors.ts";
import type { Config } from "./config/settings.ts";
import { claimRound } from "./database/rounds.ts";
import { createGatewayRegistration } from "./gateway/gateway-registration.ts";
import { createMonitoringDoor } from "./http/monitoring-door.ts";
import { stopListening } from "./http/close-connections.ts";
import { startRecovery } from "./replies/lifecycle/recovery.ts";
import { startRetention } from "./sessions/retention.ts";
import { settleSessionCounts } from "./sessions/session-counts.ts";
import type { LoggerHandle } from "./telemetry/create-logger.ts";
import { version } from "./version.ts";

export interface Service {
  /** Where it listens, such as http://127.0.0.1:8001. */
  readonly url: string;
  /** Lets running replies end, marks the rest, closes everything; docs/operations.md has the order. May be called twice. */
  close(): Promise<void>;
}

/**
 * How much of what a function calls V8 compiles into it, in bytes of its code; three times as much as by itself. What a
 * turn is made of is many small functions one within the other: it costs a tenth less of the CPU.
 */
const inlining = "--max-inlined-bytecode-size-cumulative=3000";

/** The whole service, listening. What is opened is closed in reverse order, also when the start fails. */
export async function startService(
  config: Config,
  log: LoggerHandle,
  siblings: Siblings | null = null,
): Promise<Service> {
  setFlagsFromString(inlining);
  const closing = createClosing(log.logger);
  try {
    const url = await open(config, log, closing, siblings);
    return { url, close: () => closing.close() };
  } catch (error) {
    await closing.close();
    throw error;
  }
}

async function open(
  config: Config,
  log: LoggerHandle,
  closing: ReturnType<typeof createClosing>,
  siblings: Siblings | null,
) {
  const { logger } = log;
  const { server, streams, sessions: settings, service } = config;
  let isDraining = false;
  const floors = await openFloors(config, log, closing);
  const conversations = await openConversations(floors, closing);
  const gateway =
    siblings === null
      ? createGatewayRegistration({ config, version, log: logger })
      : siblings.gateway;
  const state = { gateway, siblings, isDraining: () => isDraining };
  const app = await openDoors(floors, conversations, state, closing);
  // Open while running replies end.
  const monitoring = createMonitoringDoor(app, config);
  closing.add("monitoring", () => monitoring?.close());

  const { catalogue, replies, jobs, events } = conversations;
  closing.add("replies", () => replies.drain(server.drain_seconds * 1000));
  await catalogue.start();
  closing.add("catalogue", () => catalogue.close());
  // An embedded database belongs to this process alone, so whatever is marked running was running before it started.
  // On a server others may be running theirs: whose lease is over shows soon enough.
  if (floors.database.kind === "embedded") while ((await replies.recover(true)).recovered > 0);
  const recovery = startRecovery({
    replies,
    reapMs: streams.reap_seconds * 1000,
    leaseMs: streams.lease_seconds * 1000,
    logger,
  });
  closing.add("recovery", () => recovery.stop());
  const retention = startRetention({
    sessions: conversations.sessions,
    idempotency: conversations.idempotency,
    retentionDays: settings.retention_days,
    retentionSeconds: streams.retention_seconds,
    // An embedded database has no other nodes, and a service that is often restarted cleans up all the same.
    claim: async (everyMs) =>
      floors.database.kind === "embedded" || claimRound(floors.database, "retention", everyMs),
    purge: async () => {
      await conversations.speech.store.purge();
      await conversations.usage.purge();
      await conversations.sessionEvents.purge();
      await conversations.shares.purge();
      await floors.audit.purge(config.audit.retention_days);
      await settleStoredBytes(floors.database);
      await settleSessionCounts(floors.database);
    },
    logger,
  });
  closing.add("retention", () => retention.stop());
  jobs.start();
  conversations.searchIndex.start();
  for (const dispatcher of events.dispatchers) dispatcher.start();
  if (monitoring !== null) {
    logger.info({ url: urlOf(await monitoring.listen()) }, "metrics and health are served apart");
  }
  await app.listen({ host: service.host, port: service.port, backlog: listenBacklog });
  // Where there is a delay there are balancers: what they bring after it belongs to another node.
  if (server.shutdown_delay_seconds > 0) closing.add("listener", () => stopListening(app.server));
  // Readiness says no at once; for a moment requests are still served, so that balancers notice before they fail.
  closing.add("readiness", () => delay(server.shutdown_delay_seconds * 1000));
  const address = app.server.address();
  if (typeof address === "object" && address !== null) gateway?.start(address.port);
  closing.add("gateway", () => {
    isDraining = true;
    return gateway?.stop();
  });
  return urlOf(address);
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === "string") return String(address);
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
