import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerResponse } from "node:http";
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
import type { OpenReply } from "./follow-reply.ts";
import { openSent, type Answering } from "./follow-sent.ts";
import type { OpenPages } from "./pages.ts";
import { createSseStreams } from "./sse-streams.ts";
import type { LoggedEvent } from "../log/reply-log.ts";

interface SseViewOptions {
  readonly open: OpenReply;
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
   * `rate_limited` when the caller has too many. It is given back at the end of its scope, unless a stream has it then.
   */
  admit(caller: Caller): Viewer;
  /** Ends every stream, and those that are about to begin, so that the server can close; readers reconnect elsewhere. */
  closeAll(): void;
}

interface Viewer extends Disposable {
  /** The same of any numbered events. */
  show(request: FastifyRequest, reply: FastifyReply, shown: ShownEvents): void;
  /** Begins to stream every event after `after`. The place is the stream's from then on, until that ends. */
  stream(request: FastifyRequest, reply: FastifyReply, shown: Shown): void;
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
  readonly open: OpenPages<FramedEvent>;
  /** Where the protocol has no word for its end, the stream just ends. */
  readonly hasEndLine?: boolean;
}

/** Browsers and clients reconnect after this; sent once. */
const retryLine = "retry: 1000\n\n";
const heartbeatLine = ": heartbeat\n";
const blockHeartbeat = `${heartbeatLine}\n`;
const endLine = "data: [DONE]\n\n";

/**
 * Shows replies as server-sent events. A viewer that goes away changes nothing for the reply. No queue per viewer: a page
 * is fetched when the socket has taken the one before the last.
 */
export function createSseView(options: SseViewOptions): SseView {
  const { telemetry, heartbeatMs, stallMs = 30_000 } = options;
  const watchAdmission = createAdmissionWatch(options.identity);
  const places = new Places(options.maxViewers);
  const streams = createSseStreams({ heartbeatMs, stallMs, encode: createEncoder() });
  let isClosing = false;

  const show = (
    request: FastifyRequest,
    reply: FastifyReply,
    shown: ShownEvents,
    giveBack: () => void,
  ) => {
    reply.hijack();
    const { raw } = reply;
    const { isForBrowsers = false } = shown;
    let stopWatching = (): void => undefined;
    const stream = streams.add(raw, {
      heartbeat: isForBrowsers ? blockHeartbeat : heartbeatLine,
      onFault(error) {
        // The client comes back with its cursor; what it has seen so far stays right.
        request.log.warn({ err: error, ...shown.fields }, "stream ended early");
      },
      onEnd(isWhole) {
        stopWatching();
        if (isWhole && shown.hasEndLine !== false) raw.write(endLine);
        // Readers without a cursor take a proper end for the end of the reply.
        if (isWhole || isForBrowsers || request.method === "HEAD") raw.end();
        else breakOff(raw);
        telemetry.viewers(-1);
        giveBack();
      },
    });
    telemetry.viewers(1);

    raw.writeHead(200, {
      ...(reply.getHeaders() as OutgoingHttpHeaders),
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-store, no-transform",
      "X-Accel-Buffering": "no",
      ...shown.headers,
      "X-Process-Time": processTime(request),
    });
    holdUntilTurnEnds(raw);
    // By itself, so that the head is kept as one string: in front of another it stays the hundred pieces it was made of.
    raw.flushHeaders();
    if (isForBrowsers) raw.write(retryLine);
    forgetBeginning(request, reply);
    stopWatching = watchCaller(request, watchAdmission, stream.leave);
    raw.on("error", stream.leave);
    onceClosed(raw, stream.leave);
    // Of what may have no end, the head alone has one.
    if (isClosing || request.method === "HEAD") stream.leave();
    stream.begin(shown.open);
  };

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
      const giveAllBack = () => {
        giveBack();
        ofUser();
      };
      let isShown = false;
      return {
        show(request, reply, shown) {
          show(request, reply, shown, giveAllBack);
          isShown = true;
        },
        stream(request, reply, shown) {
          const { sessionId, replyId } = shown;
          this.show(request, reply, {
            headers: { "X-Session-ID": sessionId, "X-Message-ID": replyId },
            fields: { replyId },
            isForBrowsers: true,
            open: openSent(options, shown, shown.after),
          });
        },
        [Symbol.dispose]() {
          if (!isShown) giveAllBack();
        },
      };
    },

    closeAll() {
      isClosing = true;
      streams.leaveAll();
    },
  };
}

/** The head goes out with the events that are there already: a write costs as much as all else that a stream begins with. */
function holdUntilTurnEnds({ socket }: ServerResponse): void {
  if (socket === null) return;
  socket.cork();
  setImmediate(() => socket.uncork());
}

const noRawHeaders: string[] = [];
const noHeaders: IncomingHttpHeaders = Object.freeze({});

/** What only the beginning of a stream has needed: it lives long, and there are many. */
function forgetBeginning(request: FastifyRequest, { raw }: FastifyReply): void {
  // (The headers of the framework's reply stay: without them its object would be four times as large.)
  // Noted is what is there before anything is shown.
  request.audit = undefined;
  // What it was asked with has been read, and browsers send much. (The connection's end asks whether another protocol was.)
  const { upgrade } = request.raw.headers;
  request.raw.rawHeaders = noRawHeaders;
  request.raw.headers = upgrade === undefined ? noHeaders : { upgrade };
  // A request that nobody reads to its end keeps those who wait for that.
  request.raw.resume();
  // Node keeps the head that it has sent, as one text and by its names: but for whether there is one, nobody asks again.
  const kept = raw as unknown as Record<string | symbol, unknown>;
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
