import multipart from "@fastify/multipart";
import type { FastifyInstance } from "fastify";

/** The routes of this scope read their bodies themselves, as forms; of other kinds nothing is read before they refuse it. */
export async function takeForms(app: FastifyInstance): Promise<void> {
  await app.register(multipart);
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
}

/** For a body that a handler reads itself: documented, not validated. */
export const unvalidated = { validatorCompiler: () => () => true };
