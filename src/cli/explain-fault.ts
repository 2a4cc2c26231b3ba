import { ApiError, ConnectionError } from "../../packages/client/src/index.ts";
import { explainFile } from "../problems/explain-file.ts";
import { StartFault } from "../problems/start-fault.ts";
import { ServiceUnreachable } from "./service-client.ts";
import { painter, type Terminal } from "./terminal.ts";
import { UsageFault } from "./usage.ts";

/** Tells a person what went wrong; returns the exit code. Anything unexpected is raised again. */
export function explainFault(error: unknown, { errors, isColoured }: Terminal): 1 | 2 {
  const paint = painter(isColoured);
  if (error instanceof UsageFault) {
    errors.write(`${error.message}\n`);
    return 2;
  }
  if (error instanceof ApiError) {
    const listed = error.details.map(({ path, message }) => `\n  ${path} ${message}`).join("");
    errors.write(`${paint("red", error.message + listed)}\n`);
    return 1;
  }
  if (
    error instanceof ConnectionError ||
    error instanceof ServiceUnreachable ||
    error instanceof StartFault
  ) {
    errors.write(`${paint("red", error.message)}\n`);
    return 1;
  }
  const { path } = error as NodeJS.ErrnoException;
  const why = path === undefined ? null : explainFile(error, path, "the option");
  if (why === null) throw error;
  errors.write(`${paint("red", `${why.found}. ${why.remedy}`)}\n`);
  return 1;
}
