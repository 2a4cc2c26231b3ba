#!/usr/bin/env node
import { describeFaults } from "./config/describe-faults.ts";
import { loadFromProcess } from "./config/load-from-process.ts";
import { printConfig, showConfig } from "./config/print-config.ts";
import type { LoadedConfig } from "./config/load-config.ts";
import type { Config } from "./config/settings.ts";
import { explainFile } from "./problems/explain-file.ts";
import { StartFault } from "./problems/start-fault.ts";
import type { LoggerHandle } from "./telemetry/create-logger.ts";
import { version } from "./version.ts";

const help = `chat-service [command] [options]

  serve      run the service (default)
  chat       talk to a running service in this terminal
  doctor     check the machine and everything configured, and say what mends it
  config     show the configuration in force and where each value came from (--json)
  migrate    bring the database up to date
  export     everything stored of a user
  erase      delete everything of a user, with a receipt
  token      an access token for a user, where auth.mode is jwt with a secret
  voice      models: local speech models, where to put them and what is there

  --config FILE   read this configuration file (else CHAT_CONFIG, else ./config.yaml)
  --help          of a command: what it takes
  --version
`;

const given = process.argv.slice(2);
/** Options of the program itself, or of `serve`, may stand without a command. */
const isNamed =
  given[0] !== undefined && (!given[0].startsWith("-") || /^(-h|--help|--version)$/.test(given[0]));
const command = isNamed ? (given[0] ?? "serve") : "serve";
const args = isNamed ? given.slice(1) : given;

/** Ends the process with code 2 when the configuration cannot be used: nothing has been opened yet. */
function configured(): LoadedConfig {
  const loaded = loadFromProcess(args);
  if (loaded.ok) return loaded;
  process.stderr.write(describeFaults(loaded.faults));
  process.exit(2);
}

/** Opens the log. Ends with a sentence when one of its files cannot be written. */
async function openLog({ logging, service }: Config): Promise<LoggerHandle> {
  const { createLogger } = await import("./telemetry/create-logger.ts");
  try {
    return createLogger(logging, service);
  } catch (error) {
    const path = (error as NodeJS.ErrnoException).path ?? "the log file";
    const why = explainFile(error, path, "the file's name under logging");
    throw why === null ? error : new StartFault(why, { cause: error });
  }
}

/** Each command loads what it needs: a terminal chat has no use for a database. */
async function run(): Promise<void> {
  switch (command) {
    case "--help":
    case "-h":
    case "help":
      process.stdout.write(help);
      break;
    case "--version":
      process.stdout.write(`${version}\n`);
      break;
    case "chat": {
      const { runChat } = await import("./cli/chat.ts");
      process.exitCode = await runChat(args);
      break;
    }
    case "doctor": {
      const [{ runDoctor }, { processTerminal }] = await Promise.all([
        import("./cli/doctor/run-doctor.ts"),
        import("./cli/terminal.ts"),
      ]);
      process.exitCode = await runDoctor(args, processTerminal(false));
      break;
    }
    case "export":
    case "erase": {
      const [{ runExport }, { runErase }, { processTerminal }] = await Promise.all([
        import("./cli/export-user.ts"),
        import("./cli/erase-user.ts"),
        import("./cli/terminal.ts"),
      ]);
      const { config } = configured();
      const run = command === "export" ? runExport : runErase;
      process.exitCode = await run(config, args, processTerminal(false));
      break;
    }
    case "token": {
      const [{ runToken }, { processTerminal }] = await Promise.all([
        import("./cli/make-token.ts"),
        import("./cli/terminal.ts"),
      ]);
      process.exitCode = await runToken(configured().config, args, processTerminal(false));
      break;
    }
    case "voice": {
      const [{ runVoice }, { processTerminal }] = await Promise.all([
        import("./cli/voice-models.ts"),
        import("./cli/terminal.ts"),
      ]);
      process.exitCode = await runVoice(configured().config, args, processTerminal(false));
      break;
    }
    case "config": {
      const loaded = configured();
      const text = args.includes("--json")
        ? `${JSON.stringify(showConfig(loaded), null, 2)}\n`
        : printConfig(loaded);
      process.stdout.write(text);
      break;
    }
    case "migrate": {
      const { config } = configured();
      const log = await openLog(config);
      const [{ openDatabase }, { tellStartFault }] = await Promise.all([
        import("./composition/open-database.ts"),
        import("./serve.ts"),
      ]);
      try {
        const database = await openDatabase(config, log.logger);
        await database.close();
        log.logger.info({}, "the database is up to date");
      } catch (error) {
        tellStartFault(error, log.logger, "the database cannot be migrated");
        process.exitCode = 1;
      }
      await log.close();
      break;
    }
    case "serve": {
      const { config } = configured();
      const log = await openLog(config);
      const { serve } = await import("./serve.ts");
      await serve(config, log);
      break;
    }
    default:
      process.stderr.write(`Unknown command ${command}.\n\n${help}`);
      process.exitCode = 2;
  }
}

try {
  await run();
} catch (error) {
  if (!(error instanceof StartFault)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
