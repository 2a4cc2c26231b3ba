import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { breakOff } from "../../http/broken-off.ts";
import { limitedUser, watchCaller, type Caller } from "../../http/caller.ts";
import { onceClosed } from "../../http/gone-signal.ts";
import { processTime } from "../../http/request-context.ts";
import type { IdentityProvider } from "../../identity/identity.ts";
import { createAdmissionWatch } from "../../identity/watch-admission.ts";
import { Places, type PlacesByOwner } from "../../lib/places.ts";
import { Problem } from "../../problems/problem.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import type { FollowReply } from "./follow-reply.ts";
import { followSent, type Answering } from "./follow-sent.ts";
import { createSseWriters } from "./sse-writers.ts";
import type { LoggedEvent } from "../log/reply-log.ts";

interface SseViewOptions {
  readonly follow: FollowReply;
  /** Whether there is such a reply (still). */
  readonly isThere: (replyId: string) => Promise<boolean>;
  readonly telemetry: Telemetry;
  readonly identity: IdentityProvider;
  readonly maxViewers: number;
  /** Of one user, over whatever door. */
  readonly placesOfUsers: PlacesByOwner;
  /** A stream on which nothing happens gets a sign of life this often. */
  readonly heartbeatMs: number;
  /** A viewer that takes nothing for this long is cut; it comes back with its cursor. */
  readonly stallMs?: number;
}

export interface SseView {
  /**
   * A place among the viewers of this node; take it before anything is stored. Raises `overloaded` when there is none,
   * `rate_limited` when the caller has too many. It is given back at the end of its scope.
   */
  admit(caller: Caller): Viewer;
  /** Ends every stream, and those that are about to begin, so that the server can close; readers reconnect elsewhere. */
  closeAll(): void;
}

interface Viewer extends Disposable {
  /** The same of any numbered events. */
  show(request: FastifyRequest, reply: FastifyReply, shown: ShownEvents): Promise<void>;
  /** Streams every event after `after`; resolves when the stream has ended, whoever ended it. */
  stream(request: FastifyRequest, reply: FastifyReply, shown: Shown): Promise<void>;
}

interface Shown extends Answering {
  readonly sessionId: string;
  readonly after: number;
}

/** What a view needs of an event. */
export type ShownEvent = Pick<LoggedEvent, "seq" | "json"> & {
  /** Its kind on a line of its own, where readers look for it there. */
  readonly event?: string;
};

/** One behind which nobody can go on has no number. */
export type FramedEvent = Omit<ShownEvent, "seq"> & { readonly seq: number | null };

interface ShownEvents {
  readonly headers?: Readonly<Record<string, string>>;
  /** For the log. */
  readonly fields: object;
  /**
   * For browsers: they are told when to come back, and a sign of life is a block of its own. Other readers take each block
   * for an event, whatever is in it (OpenAI's for Python).
   */
  readonly isForBrowsers?: boolean;
  /** Null: nothing has happened for a while, which the stream says by itself. */
  follow(signal: AbortSignal): AsyncIterable<readonly FramedEvent[] | null>;
  /** Where the protocol has no word for its end, the stream just ends. */
  readonly hasEndLine?: boolean;
}

/** Browsers and clients reconnect after this; sent once. */
const retryLine = "retry: 1000\n\n";
const heartbeatLine = ": heartbeat\n";
const endLine = "data: [DONE]\n\n";
/** Made once: an error of its own for each stream would be one with a stack. */
const readerGone = new DOMException("the reader is gone", "AbortError");

/**
 * Shows replies as server-sent events. A viewer that goes away changes nothing for the reply. No queue per viewer: a page
 * is fetched when the socket has taken the one before the last.
 */
export function createSseView(options: SseViewOptions): SseView {
  const { follow, telemetry, heartbeatMs, stallMs = 30_000 } = options;
  const watchAdmission = createAdmissionWatch(options.identity);
  const places = new Places(options.maxViewers);
  const openWriter = createSseWriters({ heartbeatMs, stallMs });
  /** What ends each stream. */
  const open = new Set<() => void>();
  const encode = createEncoder();
  /** To be told that nothing happens would wake up, for nothing, what waits for each of many. */
  const quietly: FollowReply = (replyId, after, signal) => follow(replyId, after, signal, true);
  let isClosing = false;

  const show: Viewer["show"] = async (request, reply, shown) => {
    reply.hijack();
    const { raw } = reply;
    const gone = new AbortController();
    const { isForBrowsers = false } = shown;
    const heartbeat = isForBrowsers ? `${heartbeatLine}\n` : heartbeatLine;
    const leave = () => {
      gone.abort(readerGone);
      writer.release();
    };
    const writer = openWriter(raw, heartbeat, leave);
    open.add(leave);
    telemetry.viewers(1);
    raw.on("error", leave);
    onceClosed(raw, leave);
    if (isClosing) leave();

    raw.writeHead(200, {
      ...(reply.getHeaders() as OutgoingHttpHeaders),
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-store, no-transform",
      "X-Accel-Buffering": "no",
      ...shown.headers,
      "X-Process-Time": processTime(request),
    });
    // Of what may have no end, the head alone has one.
    if (request.method === "HEAD") leave();
    holdUntilTurnEnds(raw);
    // By itself, so that the head is kept as one string: in front of another it stays the hundred pieces it was made of.
    raw.flushHeaders();
    if (isForBrowsers) raw.write(retryLine);
    forgetBeginning(request, reply);
    const stopWatching = watchCaller(request, watchAdmission, leave);
    let isOver = false;
    try {
      for await (const events of shown.follow(gone.signal)) {
        if (gone.signal.aborted) break;
        if (events === null) continue;
        const full = writer.send(encode(events));
        // To wait for nothing costs time too, for each token.
        if (full !== undefined) await full;
      }
      isOver = !gone.signal.aborted;
      if (isOver && shown.hasEndLine !== false) raw.write(endLine);
    } catch (error) {
      // The client comes back with its cursor; what it has seen so far stays right.
      request.log.warn({ err: error, ...shown.fields }, "stream ended early");
    } finally {
      stopWatching();
      writer.close();
      // Readers without a cursor take a proper end for the end of the reply.
      if (isOver || isForBrowsers || request.method === "HEAD") raw.end();
      else breakOff(raw);
      open.delete(leave);
      telemetry.viewers(-1);
    }
  };

  const stream: Viewer["stream"] = (request, reply, { sessionId, after, ...answering }) =>
    show(request, reply, {
      headers: { "X-Session-ID": sessionId, "X-Message-ID": answering.replyId },
      fields: { replyId: answering.replyId },
      isForBrowsers: true,
      follow: (signal) =>
        answering.waiting === undefined
          ? quietly(answering.replyId, after, signal)
          : followSent(quietly, options.isThere, answering, after, signal),
    });

  return {
    admit({ identity: caller }) {
      const user = limitedUser(caller);
      const ofUser = user === null ? () => {} : options.placesOfUsers.take(user);
      if (ofUser === null)
        throw new Problem("rate_limited", { seconds: 1 }, { retryAfterSeconds: 1 });
      const giveBack = places.take();
      if (giveBack === null) {
        ofUser();
        throw new Problem("overloaded", {}, { retryAfterSeconds: 2 });
      }
      return {
        show,
        stream,
        [Symbol.dispose]() {
          giveBack();
          ofUser();
        },
      };
    },

    closeAll() {
      isClosing = true;
      for (const leave of open) leave();
    },
  };
}

/** The head goes out with the events that are there already: a write costs as much as all else that a stream begins with. */
function holdUntilTurnEnds({ socket }: ServerResponse): void {
  if (socket === null) return;
  socket.cork();
  setImmediate(() => socket.uncork());
}

/** What only the beginning of a stream has needed: it lives long, and there are many. */
function forgetBeginning(request: FastifyRequest, reply: FastifyReply): void {
  for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name);
  // Noted is what is there before anything is shown.
  request.audit = undefined;
  // A request that nobody reads to its end keeps those who wait for that.
  request.raw.resume();
  // Node keeps the head that it has sent, as one text and by its names: but for whether there is one, nobody asks again.
  const kept = reply.raw as unknown as Record<string | symbol, unknown>;
  for (const name of Object.getOwnPropertySymbols(kept)) {
    if (name.description === "kOutHeaders") kept[name] = null;
  }
  if (typeof kept["_header"] === "string") kept["_header"] = "sent";
}

/** The readers of one reply are shown the same page one after the other: it is made once, and they share its bytes. */
function createEncoder(): (events: readonly FramedEvent[]) => Buffer {
  let first: FramedEvent | undefined;
  let last: FramedEvent | undefined;
  let bytes = Buffer.alloc(0);
  return (events) => {
    // Events of a reply have no gaps, those of sessions are read as pages: between the same two there are the same others.
    if (events[0] !== first || events.at(-1) !== last) {
      first = events[0];
      last = events.at(-1);
      bytes = Buffer.from(events.map(frame).join(""));
    }
    return bytes;
  };
}

function frame({ seq, json, event }: FramedEvent): string {
  const kind = event === undefined ? "" : `event: ${event}\n`;
  const id = seq === null ? "" : `id: ${seq}\n`;
  return `${kind}${id}data: ${json}\n\n`;
}
