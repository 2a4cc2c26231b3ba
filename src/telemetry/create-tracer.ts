import type { Config } from "../config/settings.ts";
import type { Logger } from "./logger.ts";
import { noTracer, type Tracer } from "./tracer.ts";

interface TracerOptions {
  /** Null: nothing is traced, and nothing is loaded. */
  readonly otlpEndpoint: Config["monitoring"]["otlp_endpoint"];
  readonly service: Pick<Config["service"], "name" | "environment">;
  readonly version: string;
  /** Tells the nodes of a service apart. */
  readonly nodeId: string;
  readonly logger: Logger;
}

export async function createTracer(options: TracerOptions): Promise<Tracer> {
  const { otlpEndpoint } = options;
  if (otlpEndpoint === null) return noTracer;
  const { createOtlpTracer } = await import("./otlp-tracer.ts");
  return createOtlpTracer({ ...options, otlpEndpoint });
}
