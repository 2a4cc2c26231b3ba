import { reportOf, type ReportPart } from "../telemetry/metrics-report.ts";

/** What one process knows for `/health/metrics`. */
export interface ProcessReport {
  readonly part: ReportPart;
  readonly eventLoopDelayMs: number;
  readonly memory: Readonly<NodeJS.MemoryUsage>;
}

/** Of all processes of a service: memory is theirs together, the delay that of the busiest. */
export function describeProcesses(reports: readonly ProcessReport[]) {
  const bytes = (of: keyof NodeJS.MemoryUsage) =>
    reports.reduce((sum, { memory }) => sum + memory[of], 0);
  return {
    ...reportOf(reports.map(({ part }) => part)),
    system: {
      event_loop_delay_ms: Math.max(...reports.map((report) => report.eventLoopDelayMs)),
      memory_bytes: {
        resident: bytes("rss"),
        heap_used: bytes("heapUsed"),
        heap_total: bytes("heapTotal"),
        external: bytes("external"),
      },
    },
  };
}
