import pinoPretty, { type PrettyOptions } from "pino-pretty";

/** Members of a request line that its text shows already. */
const requestMembers = "method,path,status,durationMs,reqId,requestId";

/** Turns lines of the log into short ones for people; a request becomes `GET /health 200 3 ms`. */
export function createPrettyLine(isColoured: boolean): (line: string) => string {
  const common: PrettyOptions = {
    colorize: isColoured,
    singleLine: true,
    translateTime: "SYS:HH:MM:ss.l",
    errorLikeObjectKeys: ["err"],
  };
  const plain = pinoPretty.prettyFactory({ ...common, ignore: "pid,hostname,service" });
  const request = pinoPretty.prettyFactory({
    ...common,
    ignore: `pid,hostname,service,${requestMembers}`,
    messageFormat: (log) =>
      `${text(log["method"])} ${text(log["path"])} ${text(log["status"])} ${text(log["durationMs"])} ms`,
  });
  return (line) => (line.includes('"msg":"request"') ? request(line) : plain(line));
}

function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "-";
}
