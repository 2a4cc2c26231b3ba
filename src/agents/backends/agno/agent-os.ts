import type { Logger } from "../../../telemetry/logger.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import type { CircuitState } from "../../../lib/circuit-breaker.ts";
import { createUpstream, type Upstream } from "../../upstream/upstream.ts";
import type { ServerSentEvent } from "../../upstream/event-reader.ts";
import type { ComponentKind } from "./components.ts";
import type { RunRef } from "./run-state.ts";
import { createApiKey } from "./api-key.ts";
import { asList, asRecord, asText, type Wire } from "./wire.ts";

export interface AgentOsOptions {
  /** Unique among the servers. */
  readonly name: string;
  readonly apiUrl: string;
  /** Security key, token or service account; sent as a bearer token. */
  readonly apiKey?: string;
  /** A file with the key, which may change at any time; instead of `apiKey`. */
  readonly apiKeyFile?: string;
  /** What its address and its key are called in the configuration; default: those of the only server. */
  readonly settings?: { readonly address: string; readonly key: string };
  /** Sends the caller's own token instead of the key where there is one. */
  readonly forwardUserToken: boolean;
  readonly timeoutMs: number;
  readonly maxRetries: number;
  readonly log: Logger;
}

/** On whose behalf, and under which ids in the logs of both sides. */
export interface Caller {
  readonly agentId: string;
  readonly userToken?: string | undefined;
  readonly requestId?: string;
  readonly traceparent?: string | undefined;
}

/** The endpoints of one AgentOS server that a chat needs. Faults are those of `Upstream`. */
export interface AgentOs {
  readonly name: string;
  /** Where it is, without credentials and path: for the log. */
  readonly origin: string;
  /** Whether it is asked at all at the moment. */
  readonly circuit: CircuitState;
  /** What is wrong with its key on this side; null: nothing is known. */
  readonly keyFault: string | null;
  /** The settings of its address and of its key, for the operator. */
  readonly settings: { readonly address: string; readonly key: string };
  /** A key in a file may be another by now. */
  renewKey(): void;
  list(kind: ComponentKind, signal: AbortSignal): Promise<unknown>;
  config(signal: AbortSignal): Promise<Wire>;
  /** With its steps. */
  workflow(id: string, signal: AbortSignal): Promise<Wire>;
  /** Its version where it tells (2.6 and newer), and something that changes when it is started anew. */
  identify(
    signal: AbortSignal,
  ): Promise<{ readonly version: string | null; readonly startedAt: number }>;
  /** `idempotencyKey` makes a repetition safe; null: it is not. */
  start(
    run: Omit<RunRef, "server" | "runId" | "background">,
    form: FormData,
    idempotencyKey: string | null,
    caller: Caller,
    signal: AbortSignal,
  ): AsyncGenerator<ServerSentEvent, void, void>;
  /** Events after number `lastEventIndex` of a background run, then those to come. */
  resume(
    run: RunRef,
    lastEventIndex: number,
    sessionId: string,
    caller: Caller,
    signal: AbortSignal,
  ): AsyncGenerator<ServerSentEvent, void, void>;
  continue(
    run: RunRef,
    form: URLSearchParams,
    caller: Caller,
    signal: AbortSignal,
  ): AsyncGenerator<ServerSentEvent, void, void>;
  /** Only leaves word that the run shall stop. */
  cancel(run: RunRef, sessionId: string, caller: Caller, signal: AbortSignal): Promise<void>;
  /** The stored run; null when there is none. */
  run(run: RunRef, sessionId: string, caller: Caller, signal: AbortSignal): Promise<Wire | null>;
  /** What its durable queue knows of a run; null: nothing that may be told. */
  queued(run: RunRef, signal: AbortSignal): Promise<Wire | null>;
  /** The id that its durable queue has given a run; null: nothing that may be told. */
  runOfKey(idempotencyKey: string, sessionId: string, signal: AbortSignal): Promise<string | null>;
  /** Null when it cannot be told. */
  hasSession(
    session: SessionRef & { readonly kind: ComponentKind },
    caller: Caller,
    signal: AbortSignal,
  ): Promise<boolean | null>;
  /** Does nothing when there is none. */
  deleteSession(session: SessionRef, signal: AbortSignal): Promise<void>;
  /** A page of what it remembers of a user, from 1, the newest first. */
  memories(
    of: MemoriesRef & { readonly page: number; readonly pageLength: number },
    signal: AbortSignal,
  ): Promise<unknown>;
  /** Those of the user; there has to be one at least. */
  deleteMemories(ids: readonly string[], of: MemoriesRef, signal: AbortSignal): Promise<void>;
  /** A page of the documents of a knowledge base, from 1, the newest first. */
  documents(
    of: { readonly knowledgeId: string; readonly page: number; readonly pageLength: number },
    signal: AbortSignal,
  ): Promise<unknown>;
  addDocument(knowledgeId: string, form: FormData, signal: AbortSignal): Promise<Wire>;
  /** Null when there is none. */
  document(knowledgeId: string, documentId: string, signal: AbortSignal): Promise<Wire | null>;
  removeDocument(knowledgeId: string, documentId: string, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface MemoriesRef {
  readonly userId: string;
  readonly databaseId: string;
}

export interface SessionRef {
  readonly sessionId: string;
  readonly userId: string;
  readonly databaseId: string | null;
}

const probeTimeoutMs = 3_000;
const askTimeoutMs = 10_000;
/** The longest that a timer takes. */
const endlessMs = 2 ** 31 - 1;
/** So many of the newest jobs of a session are looked at. */
const queueLength = 20;
/** Media come in events, in Base64, and the last event of a team repeats everything that its members did. */
const maxEventBytes = 24 * 1024 * 1024;
const maxBodyBytes = 32 * 1024 * 1024;

export function createAgentOs(options: AgentOsOptions): AgentOs {
  const { name, forwardUserToken, timeoutMs } = options;
  const key = createApiKey(options);
  const upstream: Upstream = createUpstream({
    name: `agno ${name}`,
    baseUrl: options.apiUrl,
    headers: key.headers,
    onUnauthorized: key.renew,
    headersTimeoutMs: Math.min(15_000, timeoutMs),
    // Whoever relays a run looks after it when it says nothing (silence.ts).
    firstEventTimeoutMs: endlessMs,
    idleTimeoutMs: endlessMs,
    maxRetries: options.maxRetries,
    maxEventBytes,
    maxBodyBytes,
    log: options.log,
  });

  function headersOf(caller: Caller): Record<string, string> {
    const token = forwardUserToken ? caller.userToken : undefined;
    return {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(caller.requestId ? { "x-request-id": caller.requestId } : {}),
      ...(caller.traceparent ? { traceparent: caller.traceparent } : {}),
    };
  }

  const service: Caller = { agentId: name };

  async function get(path: string, signal: AbortSignal, query: Query = {}): Promise<unknown> {
    return upstream.json({
      method: "GET",
      path,
      query,
      headers: headersOf(service),
      agentId: name,
      signal,
      timeoutMs: askTimeoutMs,
      maxRetries: 0,
    });
  }

  return {
    name,
    origin: new URL(options.apiUrl).origin,
    get circuit() {
      return upstream.circuit;
    },
    get keyFault() {
      return key.fault;
    },
    settings: options.settings ?? { address: "AGNO_API_URL", key: "AGNO_API_KEY" },
    renewKey: () => void key.renew(),
    list: (kind, signal) => get(`/${kind}s`, signal),
    config: async (signal) => asRecord(await get("/config", signal)),
    workflow: async (id, signal) =>
      asRecord(await get(`/workflows/${encodeURIComponent(id)}`, signal)),
    async identify(signal) {
      const health = asRecord(await get("/health", signal));
      const started = Date.parse(asText(health["instantiated_at"]) ?? "");
      let version: string | null = null;
      try {
        version = asText(asRecord(await get("/info", signal))["agno_version"]) ?? null;
      } catch (error) {
        // Servers before 2.6 have no such route.
        if (upstreamErrorOf(error)?.status === undefined) throw error;
      }
      return { version, startedAt: Number.isNaN(started) ? 0 : started / 1000 };
    },
    start(run, form, idempotencyKey, caller, signal) {
      const key = idempotencyKey === null ? {} : { "idempotency-key": idempotencyKey };
      return upstream.stream({
        method: "POST",
        path: `${componentPath(run)}/runs`,
        body: form,
        headers: { ...headersOf(caller), ...key },
        agentId: caller.agentId,
        retryable: idempotencyKey !== null,
        signal,
      });
    },
    resume(run, lastEventIndex, sessionId, caller, signal) {
      const form = new URLSearchParams({ session_id: sessionId });
      if (lastEventIndex >= 0) form.set("last_event_index", String(lastEventIndex));
      return upstream.stream({
        method: "POST",
        path: `${runPath(run)}/resume`,
        body: form,
        headers: headersOf(caller),
        agentId: caller.agentId,
        // Whoever resumes tries again by itself.
        maxRetries: 0,
        signal,
      });
    },
    continue: (run, form, caller, signal) =>
      upstream.stream({
        method: "POST",
        path: `${runPath(run)}/continue`,
        body: form,
        headers: headersOf(caller),
        agentId: caller.agentId,
        signal,
      }),
    async cancel(run, sessionId, caller, signal) {
      await upstream.json({
        method: "POST",
        path: `${runPath(run)}/cancel`,
        query: { session_id: sessionId },
        headers: headersOf(caller),
        agentId: caller.agentId,
        // It does no harm twice, and old servers fail on the first.
        retryable: true,
        timeoutMs: probeTimeoutMs,
        maxRetries: 1,
        signal,
      });
    },
    async run(run, sessionId, caller, signal) {
      try {
        return asRecord(
          await upstream.json({
            method: "GET",
            path: runPath(run),
            query: { session_id: sessionId },
            headers: headersOf(caller),
            agentId: caller.agentId,
            timeoutMs: askTimeoutMs,
            maxRetries: 0,
            signal,
          }),
        );
      } catch (error) {
        const status = upstreamErrorOf(error)?.status;
        if (status === 404 || status === 405) return null;
        throw error;
      }
    },
    async queued(run, signal) {
      try {
        return asRecord(await get(`/queue/jobs/${encodeURIComponent(run.runId)}`, signal));
      } catch (error) {
        if (upstreamErrorOf(error)?.fault === "status") return null;
        throw error;
      }
    },
    async runOfKey(idempotencyKey, sessionId, signal) {
      try {
        const query = { session_id: sessionId, limit: queueLength };
        const jobs = asList(asRecord(await get("/queue/jobs", signal, query))["data"]);
        const job = jobs.find((each) => each["idempotency_key"] === idempotencyKey);
        return asText(job?.["id"]) ?? null;
      } catch (error) {
        if (upstreamErrorOf(error)?.fault === "status") return null;
        throw error;
      }
    },
    async hasSession(session, caller, signal) {
      try {
        await upstream.json({
          method: "GET",
          path: `/sessions/${encodeURIComponent(session.sessionId)}`,
          query: {
            type: session.kind,
            user_id: session.userId,
            db_id: session.databaseId ?? undefined,
          },
          headers: headersOf(caller),
          agentId: caller.agentId,
          timeoutMs: probeTimeoutMs,
          maxRetries: 0,
          signal,
        });
        return true;
      } catch (error) {
        const status = upstreamErrorOf(error)?.status;
        if (status === 404) return false;
        if (status !== undefined) return null;
        throw error;
      }
    },
    async deleteSession(session, signal) {
      await upstream.json({
        method: "DELETE",
        path: `/sessions/${encodeURIComponent(session.sessionId)}`,
        query: { user_id: session.userId, db_id: session.databaseId ?? undefined },
        headers: headersOf(service),
        agentId: name,
        retryable: true,
        signal,
      });
    },
    async memories({ userId, databaseId, page, pageLength }, signal) {
      const query = { user_id: userId, db_id: databaseId, page, limit: pageLength };
      return asRecord(await get("/memories", signal, query))["data"];
    },
    async deleteMemories(ids, { userId, databaseId }, signal) {
      await upstream.json({
        method: "DELETE",
        path: "/memories",
        query: { db_id: databaseId },
        body: JSON.stringify({ memory_ids: ids, user_id: userId }),
        headers: headersOf(service),
        agentId: name,
        retryable: true,
        signal,
      });
    },
    async documents({ knowledgeId, page, pageLength }, signal) {
      const query = {
        knowledge_id: knowledgeId,
        page,
        limit: pageLength,
        sort_by: "updated_at",
        sort_order: "desc",
      };
      return asRecord(await get("/knowledge/content", signal, query))["data"];
    },
    async addDocument(knowledgeId, form, signal) {
      return asRecord(
        await upstream.json({
          method: "POST",
          path: "/knowledge/content",
          query: { knowledge_id: knowledgeId },
          body: form,
          headers: headersOf(service),
          agentId: name,
          // The same content is the same document.
          retryable: true,
          signal,
        }),
      );
    },
    async document(knowledgeId, documentId, signal) {
      const path = `/knowledge/content/${encodeURIComponent(documentId)}`;
      try {
        return asRecord(await get(path, signal, { knowledge_id: knowledgeId }));
      } catch (error) {
        if (upstreamErrorOf(error)?.status === 404) return null;
        throw error;
      }
    },
    async removeDocument(knowledgeId, documentId, signal) {
      await upstream.json({
        method: "DELETE",
        path: `/knowledge/content/${encodeURIComponent(documentId)}`,
        query: { knowledge_id: knowledgeId },
        headers: headersOf(service),
        agentId: name,
        retryable: true,
        signal,
      });
    },
    close: () => upstream.close(),
  };
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

function componentPath(run: {
  readonly kind: ComponentKind;
  readonly componentId: string;
}): string {
  return `/${run.kind}s/${encodeURIComponent(run.componentId)}`;
}

function runPath(run: RunRef): string {
  return `${componentPath(run)}/runs/${encodeURIComponent(run.runId)}`;
}
