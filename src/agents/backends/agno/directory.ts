import type { AgentDescriptor } from "../../agent-backend.ts";
import { CircuitOpen } from "../../../lib/circuit-breaker.ts";
import { settledWithin } from "../../../lib/settled-within.ts";
import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import { outageOf } from "../../../telemetry/outage.ts";
import { UpstreamError, upstreamErrorOf } from "../../upstream/upstream-error.ts";
import type { AgentOs } from "./agent-os.ts";
import {
  quickPrompts,
  toComponent,
  toDescriptor,
  type Component,
  type ComponentKind,
} from "./components.ts";
import { explainAway, type Away } from "./faults.ts";
import { asList, asRecord, type Wire } from "./wire.ts";

/** One AgentOS server and what it had when it was last asked. */
export interface Listing {
  readonly server: AgentOs;
  /** Null until it has answered once. */
  readonly known: Known | null;
  /** When it was last asked with success, in milliseconds of `performance.now`. */
  readonly asOfMs: number;
  /** Why the last try failed; null: it did not. */
  readonly away: Away | null;
}

interface Known {
  readonly version: string | null;
  /** Epoch seconds by its own clock. */
  readonly startedAt: number;
  /** Takes idempotency keys, because it has a durable queue (3.x). */
  readonly durable: boolean;
  readonly components: readonly Component[];
  /** What its /config says of knowledge bases. */
  readonly knowledge: readonly Wire[];
}

/** A component under the id that callers know it by. */
export interface Entry {
  readonly agentId: string;
  readonly component: Component;
  readonly server: AgentOs;
  readonly durable: boolean;
  /** Whether AgentOS can run it in the background: 2.6 and newer, with a database. */
  readonly detachable: boolean;
  readonly descriptor: AgentDescriptor;
}

/** The components of all servers: cached, refreshed in the background, kept while a server is away. */
export interface Directory {
  readonly listings: readonly Listing[];
  /** Raises `agent_unavailable` when no server has ever answered. */
  entries(signal: AbortSignal): Promise<readonly Entry[]>;
  /** The same, after a look whether the servers are still there. */
  look(signal: AbortSignal): Promise<readonly Entry[]>;
  /** Asks anew once when it is not known; null when it does not exist. */
  find(agentId: string, signal: AbortSignal): Promise<Entry | null>;
  server(name: string): AgentOs | null;
  /** A run has found out more of its server than the last look at it: that it is away, refuses the key, lacks the agent. */
  doubt(server: string, error: unknown): void;
  /** For those who talk to its agents; undefined: as far as is known it is there. */
  whyAway(server: string): Away["told"] | undefined;
  /** Asks all servers now; at most one such round at a time. */
  refresh(signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface DirectoryOptions {
  readonly servers: readonly AgentOs[];
  readonly refreshMs: number;
  /** A server was started anew. */
  readonly onRestart: (server: string) => void;
  readonly log: Logger;
}

const kinds: readonly ComponentKind[] = ["agent", "team", "workflow"];
/** For asking one server everything. */
const roundTimeoutMs = 15_000;
const glanceMs = 1_000;
const glanceTimeoutMs = 3_000;
/** After the first round that a server has missed. */
const firstRetryMs = 1_000;

export function createDirectory(options: DirectoryOptions): Directory {
  const { servers, refreshMs, onRestart, log } = options;
  let listings: readonly Listing[] = servers.map((server) => ({
    server,
    known: null,
    asOfMs: Number.NEGATIVE_INFINITY,
    away: null,
  }));
  let entries: readonly Entry[] = [];
  let round: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let failedRounds = 0;
  /** What is known is wrong, and being asked anew. */
  let isDoubted = false;
  /** Why servers are away, as far as the log was told. */
  const reasons = new Map<AgentOs, Set<string>>();
  const closing = new AbortController();

  async function ask(listing: Listing): Promise<Listing> {
    const { server } = listing;
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(roundTimeoutMs)]);
    server.renewKey();
    try {
      const known = await survey(server, listing.known, log, signal);
      outage(server).back();
      if (listing.known && listing.known.startedAt !== known.startedAt) onRestart(server.name);
      return { server, known, asOfMs: performance.now(), away: null };
    } catch (error) {
      if (closing.signal.aborted) return listing;
      return leave(listing, error);
    }
  }

  function outage({ name }: AgentOs) {
    return outageOf(log, name === "agno" ? "agno" : `agno ${name}`);
  }

  function leave(listing: Listing, error: unknown): Listing {
    const { server } = listing;
    // Nobody was asked, because whoever was before did not answer.
    if (error instanceof Problem && error.cause instanceof CircuitOpen && listing.away)
      return listing;
    const away = explainAway(error, server);
    const why = `${away.reason} (${server.origin}). ${away.remedy}`;
    const { isAway } = outage(server);
    const told = reasons.get(server) ?? new Set();
    if (!isAway) told.clear();
    outage(server).lost(why, error);
    // Such as one that is started again, but with another key: each reason once.
    if (isAway && !told.has(away.reason))
      log.warn({ dependency: outage(server).name }, `${outage(server).name} is still away: ${why}`);
    reasons.set(server, told.add(away.reason));
    return { ...listing, away };
  }

  function refresh(): Promise<void> {
    round ??= (async () => {
      lookedAtMs = performance.now();
      listings = await Promise.all(listings.map(ask));
      entries = merge(listings);
      round = null;
      isDoubted = false;
      failedRounds = isAnyAway() ? failedRounds + 1 : 0;
      schedule();
    })();
    return round;
  }

  /** Whether those that were there still are: cheaper than everything that they have. Starts a round where one is not. */
  async function glance(signal: AbortSignal): Promise<void> {
    const isKnown = listings.some(({ known, away }) => known !== null && away === null);
    if (!isKnown || round !== null || performance.now() - lookedAtMs < glanceMs) return;
    lookedAtMs = performance.now();
    const soon = AbortSignal.any([signal, closing.signal, AbortSignal.timeout(glanceTimeoutMs)]);
    const seen = await Promise.all(
      listings.map(async (listing) => {
        if (listing.known === null || listing.away !== null) return listing;
        try {
          const { startedAt } = await listing.server.identify(soon);
          return { ...listing, isOther: startedAt !== listing.known.startedAt };
        } catch (error) {
          return signal.aborted || closing.signal.aborted ? listing : leave(listing, error);
        }
      }),
    );
    // A round that has begun meanwhile knows more.
    if (round !== null) return;
    listings = seen.map(({ server, known, asOfMs, away }) => ({ server, known, asOfMs, away }));
    entries = merge(listings);
    if (isAnyAway()) schedule();
    if (seen.some((listing) => "isOther" in listing && listing.isOther)) await refreshFor(signal);
  }

  const isAnyAway = () => listings.some((listing) => listing.away !== null);

  /** The next round: as often as is set, sooner and then ever more seldom while a server is away. */
  function schedule(): void {
    if (closing.signal.aborted) return;
    clearTimeout(timer);
    const pauseMs = isAnyAway() ? firstRetryMs * 2 ** Math.min(failedRounds, 10) : refreshMs;
    timer = setTimeout(inBackground, Math.min(refreshMs, pauseMs) * (0.75 + Math.random() * 0.25));
    timer.unref();
  }

  /** Whoever waits may give up; the round goes on for the others. */
  async function refreshFor(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let onAbort = () => {};
    const aborted = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(signal.reason as Error);
      signal.addEventListener("abort", onAbort, { once: true });
    });
    try {
      await Promise.race([refresh(), aborted]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  function inBackground(): void {
    refresh().catch((error: unknown) =>
      log.error({ err: error }, "the list of agents was not refreshed"),
    );
  }

  async function current(signal: AbortSignal): Promise<readonly Entry[]> {
    const isUnknown = listings.every((listing) => listing.known === null);
    // One that was away a moment ago is asked again when its time has come.
    if (isUnknown && performance.now() - lookedAtMs > glanceMs) await refreshFor(signal);
    else if (isUnknown && round !== null) await refreshFor(signal);
    if (listings.every((listing) => listing.known === null)) {
      const [first] = listings;
      throw unavailable(first?.server.name ?? "agno", first);
    }
    return entries;
  }

  return {
    get listings() {
      return listings;
    },
    entries: current,
    async look(signal) {
      await glance(signal);
      // Somebody has just found that the list is wrong.
      if (isDoubted && round !== null) await settledWithin(round, glanceTimeoutMs);
      return current(signal);
    },
    async find(agentId, signal) {
      const known = lookUp(await current(signal), agentId);
      if (known) return known;
      await refreshFor(signal);
      const found = lookUp(entries, agentId);
      if (found) return found;
      const unknown = listings.find((listing) => listing.known === null);
      if (unknown) throw unavailable(agentId, unknown);
      return null;
    },
    doubt(name, error) {
      const found = listings.find(({ server }) => server.name === name);
      if (found === undefined) return;
      const status = upstreamErrorOf(error)?.status;
      // What it says itself may concern this run alone: it is asked anew.
      if (status === undefined) {
        listings = listings.map((listing) => (listing === found ? leave(listing, error) : listing));
        entries = merge(listings);
        failedRounds = 0;
        schedule();
      } else if (round === null && performance.now() - lookedAtMs > glanceMs) {
        isDoubted = true;
        inBackground();
      }
    },
    whyAway: (name) => listings.find(({ server }) => server.name === name)?.away?.told,
    server: (name) => servers.find((server) => server.name === name) ?? null,
    refresh,
    async close() {
      closing.abort(new Error("the directory was closed"));
      clearTimeout(timer);
      await Promise.allSettled([round]);
    },
  };
}

function unavailable(agentId: string, listing: Listing | undefined): Problem {
  const reason = listing?.away?.told;
  const data = { agentId, ...(reason !== undefined && { reason }) };
  return new Problem("agent_unavailable", data, { retryAfterSeconds: 5 });
}

/** Also by the long form of an id, which stays valid when a collision comes or goes. */
function lookUp(entries: readonly Entry[], agentId: string): Entry | null {
  return (
    entries.find((entry) => entry.agentId === agentId) ??
    entries.find((entry) => `${entry.server.name}:${entry.component.id}` === agentId) ??
    null
  );
}

/** Ids stay as they are; on a collision the later one, in the order of configuration, gets its server's name in front. */
function merge(listings: readonly Listing[]): readonly Entry[] {
  const taken = new Set<string>();
  const entries: Entry[] = [];
  for (const { server, known, away } of listings) {
    for (const component of known?.components ?? []) {
      const candidates = [
        component.id,
        `${server.name}:${component.id}`,
        `${server.name}:${component.kind}:${component.id}`,
      ];
      const agentId = candidates.find((candidate) => !taken.has(candidate));
      if (agentId === undefined || known === null) continue;
      taken.add(agentId);
      const source = { name: server.name, version: known.version };
      const descriptor = {
        ...toDescriptor(component, agentId, source),
        isAvailable: away === null,
      };
      const { durable, version } = known;
      // Before 2.6, which tells no version, streams in the background were not to be had.
      const detachable = version !== null && component.databaseId !== null;
      entries.push({ agentId, component, server, durable, detachable, descriptor });
    }
  }
  return entries;
}

/**
 * Asks one server what it has. Each list may fail on its own (a service account may not read it; a mistake in one
 * team breaks the list of teams): then the summaries of /config stand in for it, else what was known before.
 */
async function survey(
  server: AgentOs,
  before: Known | null,
  log: Logger,
  signal: AbortSignal,
): Promise<Known> {
  const identity = await server.identify(signal);
  const [config, ...lists] = await Promise.allSettled([
    server.config(signal),
    ...kinds.map((kind) => server.list(kind, signal)),
  ]);
  const summaries: Wire | null = config.status === "fulfilled" ? config.value : null;
  let answered = 0;
  const components = kinds.flatMap((kind, index) => {
    const list = lists[index];
    if (list?.status === "fulfilled" && Array.isArray(list.value)) {
      answered += 1;
      return asList(list.value).flatMap((entry) => toComponent(kind, entry, "list") ?? []);
    }
    log.debug({ server: server.name, kind, err: reasonOf(list) }, "AgentOS gave no list");
    if (summaries) {
      answered += 1;
      return asList(summaries[`${kind}s`]).flatMap(
        (entry) => toComponent(kind, entry, "config") ?? [],
      );
    }
    return (before?.components ?? []).filter((component) => component.kind === kind);
  });
  if (answered === 0) {
    const failed = [config, ...lists].find((each) => each.status === "rejected");
    throw reasonOf(failed) ?? new UpstreamError("malformed", "it has no lists");
  }
  if (answered < kinds.length) {
    log.warn({ server: server.name, lists: answered }, "AgentOS gave only a part of its lists");
  }
  return {
    version: identity.version,
    startedAt: identity.startedAt,
    durable: asRecord(summaries?.["queue"])["durable"] === true,
    components: components.map((component) => ({
      ...component,
      prompts: summaries ? quickPrompts(summaries, component.id) : promptsOf(before, component),
    })),
    knowledge:
      summaries === null
        ? (before?.knowledge ?? [])
        : asList(asRecord(summaries["knowledge"])["knowledge_instances"]),
  };
}

function promptsOf(before: Known | null, { kind, id }: Component): readonly string[] {
  const known = before?.components.find((each) => each.kind === kind && each.id === id);
  return known?.prompts ?? [];
}

function reasonOf(settled: PromiseSettledResult<unknown> | undefined): unknown {
  return settled?.status === "rejected" ? settled.reason : null;
}
