import { join, parse } from "node:path";
import type { FastifyBaseLogger } from "fastify";
import { pino } from "pino";
import type { Config } from "../config/settings.ts";
import { createLogConsole, type LogConsole } from "./log-console.ts";
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
  /** Writes what another process of the service has made a line of, on the console alone. */
  relay(line: string): void;
  /** Somebody has renamed the files: new ones of the old names are begun. */
  reopen(): void;
  /** Everything written and closed, or given up after two seconds. Later lines are lost. May be called twice. */
  close(): Promise<void>;
}

const numbers: Record<LogLevel, number> = { DEBUG: 20, INFO: 30, WARN: 40, ERROR: 50 };
const levels: readonly LogLevel[] = ["DEBUG", "INFO", "WARN", "ERROR"];
/** Of the line that `http/request-context.ts` writes for each request. */
const accessMessage = "request";
const closeTimeoutMs = 2_000;

/**
 * The log of the process: pretty on the console in development, JSON otherwise, and up to three rotated files that
 * are always JSON. Every field passes `safeFields`. Throws when a file cannot be opened.
 */
export function createLogger(
  logging: Config["logging"],
  service: Pick<Config["service"], "name" | "environment"> & { readonly worker?: number },
  console?: Omit<LogConsole, "close">,
): LoggerHandle {
  const { worker } = service;
  let level = logging.level;
  const isPretty =
    logging.format === "pretty" ||
    (logging.format === "auto" && service.environment === "development");

  /** A line about a target goes to the others alone. */
  let subject: LogConsole | LogFile | null = null;
  const tellOthers = (of: LogConsole | LogFile, err: Error, path: string) => {
    const before = subject;
    subject = of;
    handle.logger.error({ path, err }, "a log cannot be written");
    subject = before;
  };
  const tellRecovery = (lost: number, path: string) =>
    handle.logger.warn({ path, lost }, "a log is written again");
  const openFile = (shared: string | null): LogFile | null => {
    if (shared === null) return null;
    const path = worker === undefined ? shared : ofWorker(shared, worker);
    const file = createLogFile({
      path,
      maxBytes: logging.max_size,
      backups: logging.backup_count,
      onFault: (error) => tellOthers(file, error, path),
      onRecovery: (lost) => tellRecovery(lost, path),
    });
    return file;
  };
  const target: LogConsole =
    console !== undefined
      ? { ...console, close: async () => {} }
      : createLogConsole({
          fd: 1,
          isTerminal: process.stdout.isTTY,
          onFault: (error) => tellOthers(target, error, "console"),
          onRecovery: (lost) => tellRecovery(lost, "console"),
        });
  const toConsole = isPretty ? createPrettyLine(target.isTerminal) : (line: string) => line;
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
      if (target !== subject) target.write(toConsole(line));
      if (all !== subject) all?.write(line);
      if (lastLevel >= numbers.ERROR && errors !== subject) errors?.write(line);
    },
  };

  const everything = pino(
    {
      level: "debug",
      base: { service: service.name, pid: process.pid, ...(worker !== undefined && { worker }) },
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
      // An outage is one line, told by whoever watches it (`outage.ts`); what fails because of it is none of its own.
      const isConsequence = (fields as { err?: { isOutage?: unknown } }).err?.isOutage === true;
      const of = isConsequence ? "DEBUG" : "WARN";
      if (numbers[of] < numbers[level]) return;
      if (isConsequence) instance.debug(fields, message);
      else instance.warn(fields, message);
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
    relay(line) {
      if (target !== subject) target.write(`${line}\n`);
    },
    reopen() {
      for (const file of files) file.reopen();
    },
    async close() {
      await within(closeTimeoutMs, Promise.all(files.map((file) => file.close())));
      const lost = files.reduce((sum, file) => sum + file.unwritten(), 0);
      if (lost > 0) handle.logger.warn({ lost }, "lines are missing in log files");
      await within(closeTimeoutMs, target.close());
    },
  };
  return handle;
}

/** Files have one writer each: `chat.log` of worker 2 is `chat.worker-2.log`. Devices stay what they are. */
function ofWorker(path: string, worker: number): string {
  if (path.startsWith("/dev/")) return path;
  const { dir, name, ext } = parse(path);
  return join(dir, `${name}.worker-${worker}${ext}`);
}

/** A disk that hangs holds up no end. */
async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const timeout = Promise.withResolvers<void>();
  const timer = setTimeout(timeout.resolve, timeoutMs);
  await Promise.race([work, timeout.promise]);
  clearTimeout(timer);
}
