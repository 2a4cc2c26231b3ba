#!/usr/bin/env node
import { openDatabase } from "./composition/open-database.ts";
import { describeFaults } from "./config/describe-faults.ts";
import { loadFromProcess } from "./config/load-from-process.ts";
import { printConfig, showConfig } from "./config/print-config.ts";
import { serve } from "./serve.ts";
import { createLogger } from "./telemetry/create-logger.ts";

const [command = "serve", ...args] = process.argv.slice(2);
const loaded = loadFromProcess(args);
if (!loaded.ok) {
  process.stderr.write(describeFaults(loaded.faults));
  process.exit(2);
}
const { config } = loaded;
const log = createLogger(config.logging, config.service);
const { logger } = log;

switch (command) {
  case "serve":
    await serve(config, log);
    break;
  case "migrate": {
    const database = await openDatabase(config, logger);
    await database.close();
    logger.info({}, "the database is up to date");
    break;
  }
  case "config":
    process.stdout.write(
      args.includes("--json")
        ? `${JSON.stringify(showConfig(loaded), null, 2)}\n`
        : printConfig(loaded),
    );
    break;
  default:
    process.stderr.write(
      `Unknown command ${command}. Known: serve (default), migrate, config. See docs/operations.md.\n`,
    );
    process.exitCode = 2;
}
