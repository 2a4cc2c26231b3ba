import type { FastifyBaseLogger } from "fastify";
import { pino } from "pino";
import type { Config } from "../config/settings.ts";
import { createLogFile, type LogFile } from "./log-file.ts";
import type { Logger } from "./logger.ts";
import { createPrettyLine } from "./pretty-line.ts";
import { safeFields, safeSerializers, safeText } from "./safe-fields.ts";

export type LogLevel = Config["logging"]["level"];

export interface LoggerHandle {
  /** For everything but Fastify. */
  readonly logger: Logger;
  /** For Fastify's `loggerInstance`: same targets, same rules. */
  readonly pino: FastifyBaseLogger;
  level(): LogLevel;
  /** Takes effect at once everywhere, for child loggers too. */
  setLevel(level: LogLevel): void;
  /** The one after the present of DEBUG, INFO, WARN, ERROR; the first after the last. */
  nextLevel(): LogLevel;
  /** Somebody has renamed the files: new ones of the old names are begun. */
  reopen(): void;
  /** Everything written, files closed. Lines after it go to the console only. May be called twice. */
  close(): Promise<void>;
}

export interface LogConsole {
  write(text: string): void;
  readonly isTerminal: boolean;
}

const numbers: Record<LogLevel, number> = { DEBUG: 20, INFO: 30, WARN: 40, ERROR: 50 };
const levels: readonly LogLevel[] = ["DEBUG", "INFO", "WARN", "ERROR"];
/** Of the line that `http/request-context.ts` writes for each request. */
const accessMessage = "request";
const closeTimeoutMs = 2_000;
/** What may wait for a reader of standard output that has stopped reading; lines beyond it are lost. */
const maxConsoleBytes = 16 * 1024 * 1024;

/**
 * The log of the process: pretty on the console in development, JSON otherwise, and up to three rotated files that
 * are always JSON. Every field passes `safeFields`. Throws when a file cannot be opened.
 */
export function createLogger(
  logging: Config["logging"],
  service: Pick<Config["service"], "name" | "environment">,
  console?: LogConsole,
): LoggerHandle {
  let level = logging.level;
  const isPretty =
    logging.format === "pretty" ||
    (logging.format === "auto" && service.environment === "development");
  const target = console ?? standardOutput(isPretty);
  const toConsole = isPretty ? createPrettyLine(target.isTerminal) : (line: string) => line;

  const openFile = (path: string | null): LogFile | null =>
    path === null
      ? null
      : createLogFile({
          path,
          maxBytes: logging.max_size,
          backups: logging.backup_count,
          onFault: (err) => handle.logger.error({ path, err }, "a log file cannot be written"),
          onRecovery: (lost) => handle.logger.warn({ path, lost }, "a log file is written again"),
        });
  const all = openFile(logging.file_path);
  const errors = openFile(logging.error_file_path);
  const access = openFile(logging.access_file_path);

  const files = [all, errors, access].filter((file) => file !== null);

  // pino fills in `lastLevel` and `lastMsg` before each write to a stream with this mark.
  const targets = {
    [Symbol.for("pino.metadata")]: true,
    lastLevel: 0,
    lastMsg: undefined as string | undefined,
    write(line: string) {
      const { lastLevel, lastMsg } = targets;
      if (lastMsg === accessMessage) access?.write(line);
      if (lastLevel < numbers[level]) return;
      target.write(toConsole(line));
      all?.write(line);
      if (lastLevel >= numbers.ERROR) errors?.write(line);
    },
  };

  const everything = pino(
    {
      level: "debug",
      base: { service: service.name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: safeFields },
      serializers: safeSerializers,
      hooks: {
        logMethod(args, method) {
          const [fields, message] = args as unknown as [unknown, unknown];
          if (typeof fields === "string") method.call(this, safeText(fields));
          else method.call(this, fields, typeof message === "string" ? safeText(message) : "");
        },
      },
    },
    targets,
  );
  // The request lines of the access log are made at every level; `targets` decides where they go.
  const forFastify = everything.child({});
  const applyLevel = () => {
    const lowest = access === null ? numbers[level] : Math.min(numbers[level], numbers.INFO);
    forFastify.level = pino.levels.labels[lowest] ?? "info";
  };
  applyLevel();

  // A child of pino keeps the level it was born with; this one asks each time.
  const wrap = (instance: typeof everything): Logger => ({
    debug(fields, message) {
      if (numbers.DEBUG >= numbers[level]) instance.debug(fields, message);
    },
    info(fields, message) {
      if (numbers.INFO >= numbers[level]) instance.info(fields, message);
    },
    warn(fields, message) {
      if (numbers.WARN >= numbers[level]) instance.warn(fields, message);
    },
    error(fields, message) {
      instance.error(fields, message);
    },
    child: (fields) => wrap(instance.child(safeFields(fields))),
  });

  const handle: LoggerHandle = {
    logger: wrap(everything),
    pino: forFastify,
    level: () => level,
    setLevel(next) {
      level = next;
      applyLevel();
    },
    nextLevel: () => levels[(levels.indexOf(level) + 1) % levels.length] ?? "INFO",
    reopen() {
      for (const file of files) file.reopen();
    },
    async close() {
      const closing = Promise.all(files.map((file) => file.close()));
      const timeout = Promise.withResolvers<void>();
      const timer = setTimeout(timeout.resolve, closeTimeoutMs);
      await Promise.race([closing, timeout.promise]);
      clearTimeout(timer);
    },
  };
  return handle;
}

/** For people at once and in order; for collectors without ever waiting for them. */
function standardOutput(isSynchronous: boolean): LogConsole {
  const destination = pino.destination({
    dest: 1,
    sync: isSynchronous,
    maxLength: maxConsoleBytes,
  });
  return {
    write: (text) => {
      destination.write(text);
    },
    isTerminal: process.stdout.isTTY,
  };
}
