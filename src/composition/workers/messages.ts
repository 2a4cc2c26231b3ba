import type { MetricObject } from "prom-client";
import type { Config } from "../../config/settings.ts";
import type { GatewayRegistration } from "../../gateway/gateway-registration.ts";

/** What is known of all workers of a service, and of what one process does for all of them. */
export interface ServiceState {
  readonly configured: number;
  readonly ready: number;
  /** Workers that died and were replaced. */
  readonly replaced: number;
  /** Null where no gateway is configured. */
  readonly gateway: ReturnType<GatewayRegistration["status"]> | null;
}

/** The metrics of a worker, as prom-client hands them over. */
export type WorkerMetrics = readonly MetricObject[];

/** From the process that keeps the port to a worker. */
export type ToWorker =
  | { readonly do: "start"; readonly number: number; readonly config: Config }
  | { readonly do: "stop"; readonly reason: string }
  | { readonly do: "reopen logs" }
  | { readonly do: "change log level" }
  | { readonly do: "hear"; readonly state: ServiceState }
  | { readonly do: "tell metrics"; readonly id: number }
  | { readonly do: "take metrics"; readonly id: number; readonly text: string };

/** From a worker to it. */
export type FromWorker =
  | { readonly do: "ready"; readonly url: string }
  | { readonly do: "ask metrics"; readonly id: number }
  | { readonly do: "metrics"; readonly id: number; readonly metrics: WorkerMetrics };
