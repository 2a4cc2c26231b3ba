import type { FastifyInstance, FastifyRequest } from "fastify";
import { checkJson, checkRest } from "./json-size.ts";

/** Reads JSON bodies within bounds: those of their bytes, of their values, and of all but the files in them. */
export function installJsonBodies(app: FastifyInstance, maxBytes: number): void {
  // What names mean harm is looked at with everything else that is not taken.
  const parse = app.getDefaultJsonParser("ignore", "ignore") as (
    request: FastifyRequest,
    body: string,
    done: (error: Error | null, parsed?: unknown) => void,
  ) => void;
  app.addContentTypeParser<Buffer>(
    "application/json",
    { parseAs: "buffer" },
    (request, bytes, done) => {
      // Some clients name a type although they send nothing (OpenAI's for Python, with DELETE).
      if (bytes.length === 0 && request.routeOptions.schema?.body === undefined) {
        done(null, undefined);
        return;
      }
      checkJson(bytes, maxBytes);
      let fault: Error | null = null;
      let value: unknown;
      // It takes whatever its callback raises for broken JSON.
      parse(request, bytes.toString("utf8"), (error, parsed) => {
        fault = error;
        value = parsed;
      });
      if (fault === null) checkRest(value, bytes.length, maxBytes);
      done(fault, value);
    },
  );
}
