/**
 * Loaded into a service (`node --import`) by a test that asks what it keeps: answers on the socket MEMORY_SOCKET with the
 * heap after a collection, and with how often code was made from text so far.
 */
import { createServer } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
let compiled = 0;
globalThis.Function = new Proxy(globalThis.Function, {
  construct(target, args, newTarget) {
    compiled += 1;
    return Reflect.construct(target, args, newTarget) as object;
  },
});

createServer((_request, response) => {
  collect();
  response.end(JSON.stringify({ heapBytes: process.memoryUsage().heapUsed, compiled }));
})
  .listen(process.env["MEMORY_SOCKET"])
  .unref();
