import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Places } from "../lib/places.ts";
import { Problem } from "../problems/problem.ts";
import { onceClosed } from "./gone-signal.ts";

/** Takes a place until the answer is over; raises `overloaded` when there is none. */
export function takePlace(places: Places, { raw }: FastifyReply): void {
  const giveBack = places.take();
  if (giveBack === null) throw new Problem("overloaded", {}, { retryAfterSeconds: 5 });
  onceClosed(raw, giveBack);
}

/** A body that is as long as it takes: what comes next is made when what was before it has been taken. */
export function bodyOf(request: FastifyRequest, pieces: AsyncGenerator<string>): Readable {
  const body = Readable.from(pieces, { objectMode: false });
  body.once("error", (error) => {
    // Half an answer cannot become an error any more: it is cut off.
    request.log.warn({ err: error }, "an answer broke off while it was sent");
  });
  return body;
}
