import {
  Client,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  StreamableHTTPClientTransport,
  type CallToolResult,
  type Tool,
  type Transport,
} from "@modelcontextprotocol/client";
import { settledWithin } from "../../../../lib/settled-within.ts";
import type { Logger } from "../../../../telemetry/logger.ts";
import { outageOf } from "../../../../telemetry/outage.ts";
import { ToolFault } from "../tool.ts";
import { boundedFetch } from "./bounded-fetch.ts";
import { createErrorOutput } from "./error-output.ts";
import { faultOf } from "./fault-of.ts";
import { inWords, remedyFor, type McpFault } from "./mcp-fault.ts";
import {
  defaultConnectTimeoutSeconds,
  defaultTimeoutSeconds,
  type McpServerSettings,
} from "./mcp-settings.ts";
import { createStdioTransport } from "./stdio-transport.ts";
import { unwaited } from "../../../../lib/unwaited.ts";

export interface McpServerOptions {
  readonly settings: McpServerSettings;
  readonly log: Logger;
  /** The first pause before it is tried again after a failure; doubled with each up to `maxRetryMs`. */
  readonly retryMs?: number;
  readonly now?: () => number;
}

export interface McpServerState {
  /** `connecting`: it has not answered yet since this service began. */
  readonly status: "healthy" | "connecting" | "unreachable";
  readonly fault: McpFault | null;
  /** As last listed, also while it is away. */
  readonly tools: readonly Tool[];
}

/** One server of tools: connected, listed and, when it goes away, connected again, all in the background. */
export interface McpServer {
  /** Begins to connect, unless it has. Never raises. */
  start(): void;
  /** Resolves when it is known whether it can be reached: at once, but for the first time and after a loss. */
  settled(): Promise<void>;
  /**
   * What the tool gave. Waits while the server is being connected. Raises a `ToolFault` in words for a model whatever
   * is wrong with the server, or the signal's reason.
   */
  call(
    tool: string,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<CallToolResult>;
  /** Asks a server over HTTP whether it is there; a program is known to be. */
  probe(signal: AbortSignal): Promise<void>;
  state(): McpServerState;
  /** Ends its program. Calls that run fail. May be called twice. */
  close(): Promise<void>;
}

const maxRetryMs = 60_000;
/** A connection that has lasted so long, or has carried a call, was a good one: what comes after is a new outage. */
const provenMs = 10_000;
/** At the same time; more wait for their turn. */
const maxCalls = 16;
/** Of one message of the server, which is held in memory whole. */
const maxMessageBytes = 8 * 1024 * 1024;
const probeTimeoutMs = 2_000;
/** For a server that keeps sessions to be told that this one is over. */
const goodbyeMs = 500;

export function createMcpServer(options: McpServerOptions): McpServer {
  const { settings, retryMs = 1_000, now = () => performance.now() } = options;
  const { name } = settings;
  const log = options.log.child({ mcp_server: name });
  const timeoutMs = (settings.timeout_seconds ?? defaultTimeoutSeconds) * 1000;
  const connectTimeoutMs =
    (settings.connect_timeout_seconds ?? defaultConnectTimeoutSeconds) * 1000;
  const outage = outageOf(options.log, `the MCP server ${name}`);
  const closing = new AbortController();

  let client: Client | null = null;
  let connecting: Promise<void> | null = null;
  let tools: readonly Tool[] = [];
  let fault: McpFault | null = null;
  let isStarted = false;
  let failures = 0;
  let answeredAt = 0;
  let retry: NodeJS.Timeout | undefined;
  let proof: NodeJS.Timeout | undefined;
  let looking: Promise<void> | null = null;
  let sayGoodbye: () => Promise<void> = () => Promise.resolve();
  let places = maxCalls;
  const waiting: (() => void)[] = [];

  function transportOf(): Transport {
    const { command, args = [], env = {}, cwd, url = "", headers, api_key: apiKey } = settings;
    if (command !== undefined) {
      const onErrorOutput = createErrorOutput(log, Object.values(env));
      return createStdioTransport({ command, args, env, cwd, maxMessageBytes, onErrorOutput });
    }
    const authorization = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey.trim()}` };
    return new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: { ...headers, ...authorization } },
      fetch: boundedFetch(maxMessageBytes),
      reconnectionOptions: {
        initialReconnectionDelay: retryMs,
        maxReconnectionDelay: maxRetryMs,
        reconnectionDelayGrowFactor: 2,
        maxRetries: 5,
      },
    });
  }

  async function attempt(): Promise<void> {
    const fresh: Client = new Client(
      { name: "chat-service", version: "1" },
      {
        // Programs of today begin with `initialize`, and some end at anything else; a server over HTTP is asked.
        versionNegotiation: { mode: settings.command === undefined ? "auto" : "legacy" },
        listChanged: { tools: { autoRefresh: false, onChanged: () => void relist(fresh) } },
      },
    );
    const limits = { timeout: connectTimeoutMs, signal: closing.signal };
    const transport = transportOf();
    const handlers: Pick<Client, "onclose" | "onerror"> = {
      onclose: () => lose(fresh, "closed"),
      onerror(error) {
        log.debug({ err: error }, "MCP");
        // The stream of its notices has broken: it may be away, or have forgotten the session.
        if (client === fresh) unwaited(look(fresh, closing.signal));
      },
    };
    Object.assign(fresh, handlers);
    try {
      await fresh.connect(transport, limits);
      tools = await list(fresh);
      closing.signal.throwIfAborted();
      client = fresh;
      if (transport instanceof StreamableHTTPClientTransport) {
        sayGoodbye = () => transport.terminateSession();
      }
      fault = null;
      answeredAt = now();
      proof = setTimeout(prove, provenMs).unref();
      log.debug({ tools: tools.length }, "an MCP server is connected");
    } catch (error) {
      fault = faultOf(error);
      await fresh.close().catch((cause: unknown) => log.debug({ err: cause }, "MCP"));
      failed(error);
    }
  }

  async function list(of: Client): Promise<readonly Tool[]> {
    const limits = { timeout: connectTimeoutMs, signal: closing.signal };
    const listed = await of.listTools(undefined, { ...limits, cacheMode: "refresh" });
    return listed.tools;
  }

  /** Its list has changed. */
  async function relist(of: Client): Promise<void> {
    try {
      const listed = await list(of);
      if (client === of) tools = listed;
    } catch (error) {
      if (client === of) drop(of, error);
    }
  }

  function connect(): Promise<void> {
    clearTimeout(retry);
    if (closing.signal.aborted) return Promise.resolve();
    connecting ??= attempt().finally(() => {
      connecting = null;
    });
    return connecting;
  }

  function failed(error: unknown): void {
    if (closing.signal.aborted) return;
    failures += 1;
    const why = fault ?? "unreachable";
    outage.lost(`${inWords(why)}. ${remedyFor(why, name)}`, error);
    retry = setTimeout(
      () => void connect(),
      Math.min(retryMs * 2 ** (failures - 1), maxRetryMs),
    ).unref();
  }

  /** The connection was good: what had been told is over. */
  function prove(): void {
    clearTimeout(proof);
    failures = 0;
    outage.back();
  }

  /** The connection has ended: another is made at once, unless that has just failed. */
  function lose(of: Client, what: McpFault, error?: unknown): void {
    if (client !== of) return;
    client = null;
    fault = what;
    clearTimeout(proof);
    if (closing.signal.aborted) return;
    if (failures > 0) failed(error);
    else {
      failures = 1;
      log.debug({ fault: what, err: error }, "the connection to an MCP server was lost");
      unwaited(connect());
    }
  }

  /** Asks a server over HTTP whether it is there. */
  function look(of: Client, signal: AbortSignal): Promise<void> {
    if (settings.command !== undefined) return Promise.resolve();
    looking ??= ask(of, signal).finally(() => {
      looking = null;
    });
    return looking;
  }

  async function ask(of: Client, signal: AbortSignal): Promise<void> {
    const limits = { timeout: probeTimeoutMs, signal };
    try {
      await (of.getProtocolEra() === "modern" ? of.discover(limits) : of.ping(limits));
      answeredAt = now();
    } catch (error) {
      // A server that does not know `ping` is there all the same.
      if (!signal.aborted && !(error instanceof ProtocolError)) drop(of, error);
    }
  }

  function drop(of: Client, error: unknown): void {
    lose(of, faultOf(error), error);
    of.close().catch((cause: unknown) => log.debug({ err: cause }, "MCP"));
  }

  async function connected(signal: AbortSignal): Promise<Client> {
    if (connecting !== null) await abortable(connecting, signal);
    if (client === null) throw new ToolFault(`the server ${name} cannot be reached at the moment`);
    return client;
  }

  /** Waits for one of the places; whoever leaves one hands it on. */
  async function place(signal: AbortSignal): Promise<void> {
    if (places > 0) {
      places -= 1;
      return;
    }
    const turn = Promise.withResolvers<void>();
    waiting.push(turn.resolve);
    try {
      await abortable(turn.promise, signal);
    } catch (error) {
      const at = waiting.indexOf(turn.resolve);
      if (at >= 0) waiting.splice(at, 1);
      // It had just been handed one.
      else leave();
      throw error;
    }
  }

  async function callOnce(
    of: Client,
    tool: string,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<CallToolResult> {
    const result = await of.callTool(
      { name: tool, arguments: { ...args } },
      { signal, timeout: timeoutMs },
    );
    answeredAt = now();
    if (client === of) prove();
    return result;
  }

  /** What went wrong with a call, for the model; a connection that broke is made anew. */
  function explain(of: Client, error: unknown): ToolFault {
    if (error instanceof ProtocolError) {
      return new ToolFault(error.message.slice(0, 2_000), { cause: error });
    }
    if (error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout) {
      log.warn({ err: error }, "an MCP server did not answer a call in time");
      return new ToolFault(
        `the server ${name} did not answer within ${timeoutMs / 1000} seconds; whether it has done what was asked is not known`,
        { cause: error },
      );
    }
    if (error instanceof SdkError && formFaults.has(error.code)) {
      log.warn({ err: error }, "an MCP server's answer to a call cannot be used");
      return new ToolFault(`the answer of the server ${name} cannot be used`, { cause: error });
    }
    drop(of, error);
    return new ToolFault(
      faultOf(error) === "refused"
        ? `the server ${name} refuses this service`
        : `the connection to the server ${name} broke; whether it has done what was asked is not known`,
      { cause: error },
    );
  }

  return {
    start() {
      if (isStarted) return;
      isStarted = true;
      unwaited(connect());
    },
    async settled() {
      await connecting;
    },
    async call(tool, args, signal) {
      signal.throwIfAborted();
      await place(signal);
      let of = await connected(signal).catch((error: unknown) => {
        leave();
        throw error;
      });
      try {
        try {
          return await callOnce(of, tool, args, signal);
        } catch (error) {
          // It has forgotten the session, and so has not even looked at the call.
          if (!(error instanceof SdkHttpError && error.status === 404)) throw error;
          drop(of, error);
          of = await connected(signal);
          return await callOnce(of, tool, args, signal);
        }
      } catch (error) {
        signal.throwIfAborted();
        throw error instanceof ToolFault ? error : explain(of, error);
      } finally {
        leave();
      }
    },
    async probe(signal) {
      if (client !== null && now() - answeredAt >= provenMs) await look(client, signal);
    },
    state: () => ({
      status: client !== null ? "healthy" : fault === null ? "connecting" : "unreachable",
      fault: client === null ? fault : null,
      tools,
    }),
    async close() {
      closing.abort(new Error("the service ends"));
      clearTimeout(retry);
      clearTimeout(proof);
      await connecting;
      const last = client;
      client = null;
      if (last === null) return;
      await settledWithin(sayGoodbye(), goodbyeMs);
      await last.close();
    },
  };

  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) places += 1;
    else next();
  }
}

const formFaults: ReadonlySet<string> = new Set([
  SdkErrorCode.InvalidResult,
  SdkErrorCode.UnsupportedResultType,
  SdkErrorCode.InputRequiredRoundsExceeded,
  SdkErrorCode.CapabilityNotSupported,
]);

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener("abort", onAbort));
}
