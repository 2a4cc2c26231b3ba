import { trustCertificates } from "../../composition/trust-certificates.ts";
import { loadFromProcess } from "../../config/load-from-process.ts";
import type { Config } from "../../config/settings.ts";
import { StartFault } from "../../problems/start-fault.ts";
import { version } from "../../version.ts";
import { painter, type Terminal } from "../terminal.ts";
import { parseCommand, UsageFault } from "../usage.ts";
import { checkDatabase } from "./check-database.ts";
import {
  checkAccess,
  checkConnectionLimits,
  checkDataDirectory,
  checkLogFiles,
  checkNode,
  checkPort,
} from "./check-machine.ts";
import { checkAgents, checkBaseService, checkGateway } from "./check-peers.ts";
import { checkRedis } from "./check-redis.ts";
import { checkRunning } from "./check-running.ts";
import { checkSpeech } from "./check-speech.ts";
import { checkWire } from "./check-wire.ts";
import { look, type Finding } from "./finding.ts";

const help = `chat-service doctor [--config FILE] [--json]

Looks at everything the service needs, and says what mends what is wrong. Changes nothing.
Ends with 1 when something would keep the service from working.`;

/** Everything there is to look at, side by side. */
export async function examine(config: Config): Promise<readonly Finding[]> {
  const certificates = checkCertificates(config);
  const groups = await Promise.all([
    look("node", async () => checkNode()),
    look("port", () => checkPort(config)),
    look("connections at once", async () => checkConnectionLimits(config)),
    look("running service", () => checkRunning(config)),
    look("access", async () => checkAccess(config)),
    look("data directory", () => checkDataDirectory(config)),
    look("log files", () => checkLogFiles(config)),
    look("database", () => checkDatabase(config)),
    look("between nodes", () => checkWire(config)),
    look("redis", () => checkRedis(config)),
    look("agents", () => checkAgents(config)),
    look("speech", () => checkSpeech(config)),
    look("gateway", () => checkGateway(config)),
    look("base service", () => checkBaseService(config)),
  ]);
  return [...certificates, ...groups.flat()];
}

/** First of all, as the other looks connect with them. */
function checkCertificates(config: Config): Finding[] {
  const name = "certificates";
  const { ca_file: ca, cert_file: cert } = config.tls;
  try {
    trustCertificates(config);
  } catch (error) {
    if (!(error instanceof StartFault)) throw error;
    const { found, remedy } = error.why;
    return [{ name, status: "fail", found, remedy }];
  }
  if (ca === null && cert === null) return [];
  const found = [ca !== null && `${ca} is trusted`, cert !== null && `${cert} is shown`];
  return [{ name, status: "ok", found: found.filter((each) => each !== false).join(", ") }];
}

/** `chat-service doctor`. Returns the exit code. */
export async function runDoctor(args: readonly string[], terminal: Terminal): Promise<number> {
  let isJson: boolean;
  try {
    const { values } = parseCommand(
      args,
      { config: { type: "string" }, json: { type: "boolean" }, help: { type: "boolean" } },
      help,
    );
    if (values.help === true) {
      terminal.output.write(`${help}\n`);
      return 0;
    }
    isJson = values.json === true;
  } catch (error) {
    if (!(error instanceof UsageFault)) throw error;
    terminal.errors.write(`${error.message}\n`);
    return 2;
  }
  const loaded = loadFromProcess(args);
  const findings: readonly Finding[] = loaded.ok
    ? [
        {
          name: "configuration",
          status: "ok",
          found: loaded.file === null ? "defaults and environment" : loaded.file,
        },
        ...(await examine(loaded.config)),
      ]
    : [
        checkNode(),
        ...loaded.faults.map((fault): Finding => ({
          name: "configuration",
          status: "fail",
          found: fault,
          remedy: `Correct it${loaded.file === null ? "" : ` in ${loaded.file}`}; chat-service config shows all values, docs/configuration.md explains them`,
        })),
      ];
  const failed = findings.filter((finding) => finding.status === "fail").length;
  if (isJson) {
    terminal.output.write(
      `${JSON.stringify({ version, healthy: failed === 0, findings }, null, 2)}\n`,
    );
  } else {
    print(findings, failed, terminal);
  }
  return failed === 0 ? 0 : 1;
}

const marks = {
  ok: ["green", "✓"],
  warn: ["yellow", "!"],
  fail: ["red", "✗"],
  off: ["dim", "-"],
} as const;

function print(
  findings: readonly Finding[],
  failed: number,
  { output, isColoured }: Terminal,
): void {
  const paint = painter(isColoured);
  const width = Math.max(...findings.map(({ name }) => name.length));
  output.write(`chat-service ${version}\n\n`);
  for (const { name, status, found, remedy } of findings) {
    const [colour, mark] = marks[status];
    output.write(`${paint(colour, mark)} ${name.padEnd(width)}  ${found}\n`);
    if (remedy !== undefined)
      output.write(`${" ".repeat(width + 4)}${paint("bold", `→ ${remedy}`)}\n`);
  }
  const warnings = findings.filter((finding) => finding.status === "warn").length;
  output.write(
    failed + warnings === 0 ? "\nAll is well.\n" : `\n${failed} to mend, ${warnings} to look at.\n`,
  );
}
