import type { Logger } from "../../../../telemetry/logger.ts";

const maxLineLength = 500;
const maxLines = 50;
const windowMs = 60_000;
const shortestSecret = 6;

/**
 * Takes what a program writes to its standard error and puts it into the log, for whoever looks for a fault: in lines,
 * at most so many a minute, without the values that its environment was given.
 */
export function createErrorOutput(
  log: Logger,
  secrets: readonly string[],
  now: () => number = () => performance.now(),
): (chunk: Buffer) => void {
  const hidden = secrets.filter((secret) => secret.length >= shortestSecret);
  const decoder = new TextDecoder();
  let rest = "";
  let began = Number.NEGATIVE_INFINITY;
  let written = 0;

  const write = (line: string): void => {
    if (now() - began >= windowMs) {
      began = now();
      written = 0;
    }
    written += 1;
    if (written > maxLines) return;
    const shown = hidden.reduce((text, secret) => text.replaceAll(secret, "********"), line);
    log.debug(
      { line: shown.slice(0, maxLineLength) },
      written < maxLines
        ? "an MCP server says"
        : "an MCP server says too much; the rest is left out",
    );
  };

  return (chunk) => {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") write(line);
    if (rest.length > 4 * maxLineLength) {
      write(rest);
      rest = "";
    }
  };
}
