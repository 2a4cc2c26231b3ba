import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import helmet from "helmet";

/** What browsers are told about every answer. `isReadElsewhere`: pages of other origins may ask, and show what they are given. */
export function installSecurityHeaders(app: FastifyInstance, isReadElsewhere: boolean): void {
  const headers = headersOf(
    helmet({
      // The pages set their own policy; JSON needs none.
      contentSecurityPolicy: {
        directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
        useDefaults: false,
      },
      crossOriginResourcePolicy: { policy: isReadElsewhere ? "cross-origin" : "same-origin" },
      hsts: false,
    }),
  );
  app.addHook("onRequest", (_request, reply, done) => {
    void reply.headers(headers);
    done();
  });
}

/** They are the same for every answer, and working them out costs as much as a tenth of a small one. */
function headersOf(middleware: ReturnType<typeof helmet>): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  const answer = {
    setHeader: (name: string, value: string) => {
      headers[name.toLowerCase()] = value;
    },
    removeHeader: () => {},
  };
  middleware({} as IncomingMessage, answer as unknown as ServerResponse, (error) => {
    if (error !== undefined) throw error;
  });
  return headers;
}
