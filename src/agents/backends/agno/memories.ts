import type { Forgotten, Memories, Memory } from "../../agent-backend.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import type { AgentOs } from "./agent-os.ts";
import type { Directory } from "./directory.ts";
import { asList, asText, parseJson, type Wire } from "./wire.ts";

/** A database of a server, which all its agents share: so is what they remember of users. */
interface Place {
  readonly server: AgentOs;
  readonly databaseId: string;
  readonly agentIds: readonly string[];
}

const pageLength = 100;
/** Of one user in one place; what is older is not listed. */
const maxPages = 10;
/** Deleting ends when nothing is left, or here: somebody remembers faster than that. */
const maxRounds = 200;

/** What AgentOS remembers of users beside its sessions. */
export function createAgnoMemories(directory: Directory, log: Logger) {
  async function places(signal: AbortSignal): Promise<readonly Place[]> {
    const found = new Map<string, Place>();
    for (const { agentId, server, component } of await directory.entries(signal)) {
      const { databaseId } = component;
      if (databaseId === null) continue;
      const key = JSON.stringify([server.name, databaseId]);
      const agentIds = [...(found.get(key)?.agentIds ?? []), agentId];
      found.set(key, { server, databaseId, agentIds });
    }
    return [...found.values()];
  }

  async function pageOf(place: Place, userId: string, page: number, signal: AbortSignal) {
    try {
      const { server, databaseId } = place;
      return asList(await server.memories({ userId, databaseId, page, pageLength }, signal));
    } catch (error) {
      // Databases without a table for it, and versions without such a route.
      if (isNone(error)) return [];
      throw error;
    }
  }

  async function inPlace(place: Place, userId: string, signal: AbortSignal): Promise<Memory[]> {
    const memories: Memory[] = [];
    for (let page = 1; page <= maxPages; page++) {
      const rows = await pageOf(place, userId, page, signal);
      memories.push(...rows.flatMap((row) => toMemory(row, place) ?? []));
      if (rows.length < pageLength) break;
    }
    return memories;
  }

  /** Asks everywhere, and tells the log where that failed. */
  async function everywhere<T>(
    work: (place: Place) => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly results: readonly T[]; readonly isComplete: boolean }> {
    const all = await places(signal);
    const outcomes = await Promise.allSettled(all.map(work));
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === "fulfilled") continue;
      const server = all[index]?.server.name;
      log.debug({ server, err: outcome.reason as unknown }, "memories could not be asked for");
    }
    const isUnknown = directory.listings.some(({ known }) => known === null);
    return {
      results: outcomes.flatMap((each) => (each.status === "fulfilled" ? [each.value] : [])),
      isComplete: !isUnknown && outcomes.every(({ status }) => status === "fulfilled"),
    };
  }

  return {
    async list(userId: string, signal: AbortSignal): Promise<Memories> {
      const { results, isComplete } = await everywhere(
        (place) => inPlace(place, userId, signal),
        signal,
      );
      return { memories: results.flat(), isComplete };
    },

    async forget(userId: string, id: string | null, signal: AbortSignal): Promise<Forgotten> {
      const { results, isComplete } = await everywhere(
        (place) =>
          id === null ? forgetAll(place, userId, signal) : forgetOne(place, userId, id, signal),
        signal,
      );
      return { deleted: results.reduce((sum, each) => sum + each, 0), isComplete };
    },
  };

  async function forgetOne(
    place: Place,
    userId: string,
    id: string,
    signal: AbortSignal,
  ): Promise<number> {
    const { server, databaseId } = place;
    const named = readId(id);
    if (named?.server !== server.name || named.databaseId !== databaseId) return 0;
    // AgentOS does not say whether it was there.
    const mine = await inPlace(place, userId, signal);
    if (!mine.some((memory) => memory.id === id)) return 0;
    await server.deleteMemories([named.memoryId], { userId, databaseId }, signal);
    return 1;
  }

  async function forgetAll(place: Place, userId: string, signal: AbortSignal): Promise<number> {
    const { server, databaseId } = place;
    const seen = new Set<string>();
    for (let round = 0; round < maxRounds; round++) {
      const rows = await pageOf(place, userId, 1, signal);
      const ids = rows.flatMap((row) => asText(row["memory_id"]) ?? []);
      if (ids.length === 0) return seen.size;
      if (ids.every((id) => seen.has(id))) break;
      for (const id of ids) seen.add(id);
      await server.deleteMemories(ids, { userId, databaseId }, signal);
    }
    throw new Error(`${server.name} keeps memories that were deleted`);
  }
}

function isNone(error: unknown): boolean {
  const status = upstreamErrorOf(error)?.status;
  return status === 404 || status === 405 || status === 501;
}

function toMemory(row: Wire, place: Place): Memory | null {
  const memoryId = asText(row["memory_id"]);
  const text = asText(row["memory"]);
  if (memoryId === undefined || text === undefined) return null;
  const topics = Array.isArray(row["topics"]) ? row["topics"] : [];
  const updatedMs = Date.parse(asText(row["updated_at"]) ?? "");
  return {
    id: idOf(place, memoryId),
    text,
    topics: topics.filter((topic): topic is string => typeof topic === "string"),
    agentIds: place.agentIds,
    updatedAt: Number.isNaN(updatedMs) ? null : new Date(updatedMs).toISOString(),
  };
}

function idOf({ server, databaseId }: Place, memoryId: string): string {
  return Buffer.from(JSON.stringify([server.name, databaseId, memoryId])).toString("base64url");
}

function readId(id: string) {
  const parts = parseJson(Buffer.from(id, "base64url").toString());
  if (!Array.isArray(parts)) return null;
  const [server, databaseId, memoryId] = parts.map(asText);
  if (server === undefined || databaseId === undefined || memoryId === undefined) return null;
  return { server, databaseId, memoryId };
}
