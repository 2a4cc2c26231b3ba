import { fetchJson, PeerFault } from "../lib/fetch-json.ts";
import { isJsonObject } from "../lib/json-shape.ts";

/** What the gateway is told about this node; one body that every known registry understands. */
export interface ServiceRecord {
  readonly service_name: string;
  readonly instance_id: string;
  readonly [member: string]: unknown;
}

/** Speaks to a gateway's registry, under whichever of the known paths it has. */
export interface GatewayClient {
  /** Registers or, with the same `instance_id`, updates. Raises PeerFault when no path took it. */
  register(record: ServiceRecord, signal: AbortSignal): Promise<void>;
  /** Takes the record back where it may be. Faults are of no interest to anybody and not raised. */
  deregister(record: ServiceRecord, timeoutMs: number): Promise<void>;
  /** The path that took the last registration, or null. */
  path(): string | null;
}

interface GatewayClientOptions {
  readonly url: string;
  readonly apiKey: string | null;
  /** Fixes the path instead of trying the known ones. */
  readonly registerPath: string | null;
  readonly timeoutMs?: number;
}

/** Registries of the platform differ; the first is the intended path, the second as one of them really mounts it. */
export const knownRegisterPaths = [
  "/gateway/services/register",
  "/gateway/gateway/services/register",
  "/api/gateway/services/register",
  "/internal/register",
] as const;

export function createGatewayClient({
  url,
  apiKey,
  registerPath,
  timeoutMs = 5_000,
}: GatewayClientOptions): GatewayClient {
  const base = url.replace(/\/+$/, "");
  const headers: Record<string, string> =
    apiKey === null ? {} : { "x-api-key": apiKey, authorization: `Bearer ${apiKey}` };
  let workingPath: string | null = null;
  /** Where the record may be: taken, or sent without an answer. */
  const maybeThere = new Set<string>();

  function candidates(): readonly string[] {
    if (registerPath !== null) return [registerPath];
    if (workingPath === null) return knownRegisterPaths;
    return [workingPath, ...knownRegisterPaths.filter((path) => path !== workingPath)];
  }

  return {
    async register(record, signal) {
      const refusals: string[] = [];
      for (const path of candidates()) {
        maybeThere.add(path);
        // A fault of transport is the same on every path: it ends the attempt.
        const { status, body } = await fetchJson(base + path, {
          method: "POST",
          headers,
          body: record,
          timeoutMs,
          signal,
          repeatable: true,
        });
        const failed = isJsonObject(body) && body["success"] === false;
        if (status >= 200 && status < 300 && !failed) {
          workingPath = path;
          return;
        }
        maybeThere.delete(path);
        // Catch-all routes are known to answer 500 for what they do not know, so any refusal leads to the next path.
        refusals.push(`${path}: ${failed ? "success false" : `status ${status}`}`);
      }
      throw new PeerFault(refusals.join(", "));
    },
    async deregister({ service_name: name, instance_id: id }, waitMs) {
      const requests = [...maybeThere].map(async (path) => {
        const prefix = path.replace(/(\/services)?\/register$/, "");
        const record = `${encodeURIComponent(name)}/${encodeURIComponent(id)}`;
        await fetchJson(`${base}${prefix}/services/${record}`, {
          method: "DELETE",
          headers,
          timeoutMs: waitMs,
          repeatable: true,
        });
      });
      await Promise.allSettled(requests);
      maybeThere.clear();
    },
    path: () => workingPath,
  };
}
