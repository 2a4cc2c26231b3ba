import type { ServerResponse } from "node:http";
import { Problem } from "../problems/problem.ts";

/** Calls `callback` when the connection of an answer has closed or the answer is complete; at once if that has been. */
export function onceClosed(response: ServerResponse, callback: () => void): void {
  // While a body was read, the caller looked up, or a message stored: the event does not come again. (It comes once by
  // itself; to say so would cost an open stream another closure.)
  if (response.destroyed || response.closed) callback();
  else response.on("close", callback);
}

/** Aborts when the caller goes away before the answer is complete. */
export function goneSignal({ raw }: { readonly raw: ServerResponse }): AbortSignal {
  const gone = new AbortController();
  onceClosed(raw, () => {
    if (raw.writableFinished) return;
    gone.abort(goneCaller());
  });
  return gone.signal;
}

/** Nobody will read it; but it is no fault of the service. */
export function goneCaller(): Problem {
  return new Problem("bad_request", { en: "The caller has gone.", zh: "调用方已断开连接。" });
}
