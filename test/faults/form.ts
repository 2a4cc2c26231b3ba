/** `long` takes as long as the outages that people really have; the short form is part of every run. */
export const isLong = process.env["FAULTS"] === "long";

/** The same seed makes the same choices. */
export const seed = Number(process.env["FAULTS_SEED"] ?? Date.now() % 1_000_000);

/** Heartbeats faster than the clients' patience with silence. */
export const env = { SERVER_HEARTBEAT_SECONDS: "3", LIMITS_MAX_QUEUED_PER_SESSION: "50" };

/** A length of time in milliseconds, from those of both forms in seconds. */
export function seconds(short: number, long: number): number {
  return (isLong ? long : short) * 1_000;
}

export function pause(timeMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timeMs));
}

/** Says what was seen, for docs/reliability.md. */
export function figure(text: string): void {
  process.stdout.write(`[figure] ${text}\n`);
}
