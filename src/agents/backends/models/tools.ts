import { calculator } from "./calculator.ts";
import { currentTime } from "./current-time.ts";
import type { Tool } from "./tool.ts";

const tools: ReadonlyMap<string, Tool> = new Map(
  [currentTime, calculator].map((tool) => [tool.definition.function.name, tool]),
);

/** What `tools` of a configured agent may name. */
export const knownToolNames: readonly string[] = [...tools.keys()];

export function findTool(name: string): Tool | null {
  return tools.get(name) ?? null;
}
