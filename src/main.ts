#!/usr/bin/env node
import cluster from "node:cluster";
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { parseCommand, UsageFault } from "./cli/usage.ts";
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
  reindex    try again what could not be made searchable
  move       everything of the embedded database to the server of DATABASE_URL
  export     everything stored of a user, or with --all of everybody, as a file
  import     a file of everybody into an empty database
  erase      delete everything of a user, with a receipt
  keys       API keys: make, list, revoke
  token      an access token for a user, where auth.mode is jwt with a secret
  voice      models: local speech models, where to put them and what is there

  --config FILE   read this configuration file (else CHAT_CONFIG, else ./config.yaml)
  --help          of a command: what it takes
  --version
`;

const given = process.argv.slice(2);
const options = {
  config: { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;
/** The first word that is no option or its value is the command, wherever it stands. */
const { tokens } = parseArgs({
  args: given,
  options,
  strict: false,
  allowPositionals: true,
  tokens: true,
});
const word = tokens.find((token) => token.kind === "positional");
const isMisspelt = tokens.some(
  (token) =>
    token.kind === "option" && !(token.name in options) && token.index < (word?.index ?? Infinity),
);
/** With an option that is none, a word behind it may be its value: `serve` says what is wrong. */
const command = isMisspelt ? "serve" : (word?.value ?? "serve");
const args = given.filter((_, index) => index !== word?.index);

/** Ends the process with code 2 when the configuration cannot be used: nothing has been opened yet. */
function configured(): LoadedConfig {
  const loaded = loadFromProcess(args);
  if (loaded.ok) return loaded;
  process.stderr.write(describeFaults(loaded.faults));
  process.exit(2);
}

/** The same for commands that open connections. Raises StartFault. */
async function connecting(): Promise<Config> {
  const { config } = configured();
  const { trustCertificates } = await import("./composition/trust-certificates.ts");
  trustCertificates(config);
  return config;
}

/** Opens the log. Ends with a sentence when one of its files cannot be written. */
async function openLog({ logging, service }: Config, worker?: number): Promise<LoggerHandle> {
  const { createLogger } = await import("./telemetry/create-logger.ts");
  try {
    return createLogger(logging, { ...service, ...(worker !== undefined && { worker }) });
  } catch (error) {
    const path = (error as NodeJS.ErrnoException).path ?? "the log file";
    const why = explainFile(error, path, "the file's name under logging");
    throw why === null ? error : new StartFault(why, { cause: error });
  }
}

/** What was given to a command without a help of its own; null: what was asked for has been said. Raises UsageFault. */
function understood<const T extends ParseArgsOptionsConfig>(more: T) {
  const { values, positionals } = parseCommand(args, { ...options, ...more }, help);
  const [surplus] = positionals;
  if (surplus !== undefined) throw new UsageFault(`${surplus} is too much.\n\n${help}`);
  const { help: isHelp, version: isVersion } = values as { help?: boolean; version?: boolean };
  if (isHelp === true) process.stdout.write(help);
  else if (isVersion === true) process.stdout.write(`${version}\n`);
  else return values;
  return null;
}

/** Each command loads what it needs: a terminal chat has no use for a database. */
async function run(): Promise<void> {
  switch (command) {
    case "help":
      process.stdout.write(help);
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
      const config = await connecting();
      const run = command === "export" ? runExport : runErase;
      process.exitCode = await run(config, args, processTerminal(false));
      break;
    }
    case "import": {
      const [{ runImport }, { processTerminal }] = await Promise.all([
        import("./cli/import-store.ts"),
        import("./cli/terminal.ts"),
      ]);
      process.exitCode = await runImport(await connecting(), args, processTerminal(false));
      break;
    }
    case "move": {
      const [{ runMove }, { processTerminal }] = await Promise.all([
        import("./cli/move-database.ts"),
        import("./cli/terminal.ts"),
      ]);
      process.exitCode = await runMove(await connecting(), args, processTerminal(false));
      break;
    }
    case "reindex": {
      const [{ runReindex }, { processTerminal }] = await Promise.all([
        import("./cli/reindex.ts"),
        import("./cli/terminal.ts"),
      ]);
      process.exitCode = await runReindex(await connecting(), args, processTerminal(false));
      break;
    }
    case "keys": {
      const [{ runKeys }, { processTerminal }] = await Promise.all([
        import("./cli/api-keys.ts"),
        import("./cli/terminal.ts"),
      ]);
      process.exitCode = await runKeys(await connecting(), args, processTerminal(false));
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
      process.exitCode = await runVoice(await connecting(), args, processTerminal(false));
      break;
    }
    case "config": {
      const values = understood({ json: { type: "boolean" } });
      if (values === null) break;
      const loaded = configured();
      const text =
        values.json === true
          ? `${JSON.stringify(showConfig(loaded), null, 2)}\n`
          : printConfig(loaded);
      process.stdout.write(text);
      break;
    }
    case "migrate": {
      if (understood({}) === null) break;
      const config = await connecting();
      const log = await openLog(config);
      const [{ openDatabase }, { tellStartFault }] = await Promise.all([
        import("./composition/open-database.ts"),
        import("./tell-start-fault.ts"),
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
      if (cluster.isWorker) {
        const { openWorkerPost } = await import("./composition/workers/worker-post.ts");
        const post = await openWorkerPost();
        const { trustCertificates } = await import("./composition/trust-certificates.ts");
        trustCertificates(post.config);
        const { serveWorker } = await import("./serve-worker.ts");
        await serveWorker(post, await openLog(post.config, post.number));
        break;
      }
      if (understood({}) === null) break;
      const config = await connecting();
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
  if (!(error instanceof StartFault) && !(error instanceof UsageFault)) throw error;
  process.stderr.write(`${error.message.trimEnd()}\n`);
  process.exitCode = error instanceof UsageFault ? 2 : 1;
}
