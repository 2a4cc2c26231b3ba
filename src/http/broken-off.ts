import type { ServerResponse } from "node:http";

const brokenOff = new WeakSet<ServerResponse>();

/** Ends the connection behind what was written, and not the answer: its reader is to see that it is not whole. */
export function breakOff(response: ServerResponse): void {
  brokenOff.add(response);
  if (response.socket === null) response.destroy();
  else response.socket.destroySoon();
}

/** Whether we have ended an answer, whole or not; else its reader has gone. */
export function isEndedHere(response: ServerResponse): boolean {
  return response.writableEnded || brokenOff.has(response);
}
