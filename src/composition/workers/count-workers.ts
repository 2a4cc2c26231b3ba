import { availableParallelism } from "node:os";
import type { Config } from "../../config/settings.ts";

/** How many processes are to serve. An embedded database belongs to one. */
export function countWorkers({ server, database }: Pick<Config, "server" | "database">): number {
  if (database.url === null) return 1;
  return server.workers === "auto" ? availableParallelism() : Number(server.workers);
}
