import { loadConfig } from "./load-config.ts";

/** The configuration of this process: its arguments, environment and working directory. */
export function loadFromProcess(argv: readonly string[]): ReturnType<typeof loadConfig> {
  return loadConfig({ argv, environment: process.env, cwd: process.cwd() });
}
