import type { MetricObject } from "prom-client";
import type { Config } from "../../config/settings.ts";
import type { GatewayRegistration } from "../../gateway/gateway-registration.ts";
import type { ProcessReport } from "../../health/process-report.ts";

/** What is known of all workers of a service, and of what one process does for all of them. */
export interface ServiceState {
  readonly configured: number;
  readonly ready: number;
  /** Workers that died and were replaced. */
  readonly replaced: number;
  /** Null where no gateway is configured. */
  readonly gateway: ReturnType<GatewayRegistration["status"]> | null;
}

/** What each worker can be asked for, so that one of them answers for all. */
export interface WorkerParts {
  /** As prom-client hands them over. */
  readonly metrics: readonly MetricObject[];
  readonly report: ProcessReport;
}

export type PartMakers = { readonly [N in PartName]: () => Promise<WorkerParts[N]> };
export type PartName = keyof WorkerParts;
export type Part = WorkerParts[PartName];

/** From the process that keeps the port to a worker. */
export type ToWorker =
  | { readonly do: "start"; readonly number: number; readonly config: Config }
  | { readonly do: "stop"; readonly reason: string }
  | { readonly do: "reopen logs" }
  | { readonly do: "change log level" }
  | { readonly do: "hear"; readonly state: ServiceState }
  | { readonly do: "tell part"; readonly id: number; readonly name: PartName }
  | { readonly do: "take parts"; readonly id: number; readonly parts: readonly Part[] };

/** From a worker to it. */
export type FromWorker =
  /** It listens: what is sent before that nobody hears. */
  | { readonly do: "listen" }
  | { readonly do: "ready"; readonly url: string }
  /** It cannot start, in a sentence for operators. */
  | { readonly do: "fail"; readonly why: string }
  | { readonly do: "ask parts"; readonly id: number; readonly name: PartName }
  | { readonly do: "part"; readonly id: number; readonly part: Part | null };
