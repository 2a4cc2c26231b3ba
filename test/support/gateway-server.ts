import { startJsonServer, type JsonServer, type JsonServerRequest } from "./json-server.ts";

interface Instance {
  readonly service_name: string;
  readonly instance_id: string;
  readonly host: string;
  readonly port: number;
  readonly weight?: number;
  readonly health_check_url?: string;
  readonly [member: string]: unknown;
}

export interface GatewayOptions {
  /** The one path under which it registers; default /gateway/services/register. */
  readonly registerPath?: string;
  /**
   * `message`: 201 as the registry answers; `success`: 200 with `success: true`, as clients of it expect;
   * `refused`: 200 with `success: false`.
   */
  readonly answer?: "message" | "success" | "refused";
  /** Default: any free one. */
  readonly port?: number;
  /** If set, wanted as X-API-Key or as a Bearer. */
  readonly apiKey?: string;
  /** What paths it does not know are answered with; catch-all routes of the platform say 500. */
  readonly unknownPathStatus?: number;
  /** How long a proxied request may take before it is sent again. */
  readonly proxyTimeoutMs?: number;
}

export interface GatewayServer extends JsonServer {
  /** What is registered now. */
  instances(): readonly Instance[];
  /** Forgets everything, as a restart does. */
  forget(): void;
  /** Asks an instance as the registry does: 200 and `status` exactly `healthy`, within 5 s. */
  isHealthy(instanceId: string): Promise<boolean>;
}

/**
 * A Gateway Service: an in-memory registry, and below `/proxy` the proxy of the platform, which buffers whole
 * answers, sends any request up to three times more when it is slow, and drops the bodies of DELETE.
 */
export async function startGateway(options: GatewayOptions = {}): Promise<GatewayServer> {
  const { registerPath = "/gateway/services/register", answer = "message" } = options;
  const registry = new Map<string, Instance>();
  let turn = 0;

  function register(body: unknown) {
    const record = (body ?? {}) as Instance;
    const missing = ["service_name", "instance_id", "host", "port"].find(
      (name) => !(name in record),
    );
    if (missing !== undefined) return { status: 400, body: { detail: `missing field ${missing}` } };
    if (answer === "refused") return { status: 200, body: { success: false } };
    registry.set(`${record.service_name}/${record.instance_id}`, record);
    const { service_name, instance_id } = record;
    if (answer === "success") return { status: 200, body: { success: true } };
    return { status: 201, body: { message: "registered", service_name, instance_id } };
  }

  async function proxy(request: JsonServerRequest) {
    const instances = [...registry.values()];
    const instance = instances[turn++ % Math.max(1, instances.length)];
    if (instance === undefined) return { status: 503, body: { detail: "no instance" } };
    const query = request.query.size > 0 ? `?${request.query}` : "";
    const path = request.path.replace(/^\/proxy/, "") + query;
    const {
      host: _host,
      connection: _connection,
      "content-length": _length,
      ...headers
    } = request.headers;
    for (let attempt = 1; attempt <= 4; attempt++) {
      try {
        const response = await fetch(`http://${instance.host}:${instance.port}${path}`, {
          method: request.method,
          headers: headers as Record<string, string>,
          redirect: "manual",
          signal: AbortSignal.timeout(options.proxyTimeoutMs ?? 30_000),
          ...(["POST", "PUT", "PATCH"].includes(request.method) ? { body: request.rawBody } : {}),
        });
        const bytes = new Uint8Array(await response.arrayBuffer());
        const kept = [...response.headers].filter(
          ([name]) => !["content-length", "transfer-encoding", "connection"].includes(name),
        );
        return { status: response.status, bytes, headers: Object.fromEntries(kept) };
      } catch {
        // Whatever it was: once more, POST or not. That is how this proxy is.
      }
    }
    return { status: 500, body: { detail: "internal error" } };
  }

  const server = await startJsonServer((request) => {
    if (request.path.startsWith("/proxy/")) return proxy(request);
    const { method, path, headers } = request;
    const { apiKey } = options;
    const keys = [headers["x-api-key"], headers.authorization?.replace(/^Bearer /, "")];
    if (apiKey !== undefined && !keys.includes(apiKey)) {
      return { status: 401, body: { detail: "api key" } };
    }
    if (method === "POST" && path === registerPath) return register(request.body);
    const prefix = registerPath.replace(/(\/services)?\/register$/, "");
    if (method === "DELETE" && path.startsWith(`${prefix}/services/`)) {
      const key = decodeURIComponent(path.slice(`${prefix}/services/`.length));
      const gone = registry.delete(key);
      return { status: gone ? 200 : 404, body: { message: gone ? "removed" : "not found" } };
    }
    return { status: options.unknownPathStatus ?? 404, body: { detail: "path not found" } };
  }, options.port);

  return Object.assign(server as GatewayServer, {
    instances: () => [...registry.values()],
    forget: () => registry.clear(),
    async isHealthy(instanceId: string) {
      const instance = [...registry.values()].find(({ instance_id }) => instance_id === instanceId);
      if (instance === undefined) return false;
      const path = instance.health_check_url ?? "/health";
      try {
        const response = await fetch(`http://${instance.host}:${instance.port}${path}`, {
          signal: AbortSignal.timeout(5_000),
        });
        const body = (await response.json()) as { status?: unknown };
        return response.status === 200 && body.status === "healthy";
      } catch {
        return false;
      }
    },
  });
}
