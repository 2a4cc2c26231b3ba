import type { Dispatcher } from "undici";
import { abortReason, startExchange, type ExchangeOptions } from "./exchange.ts";
import { UpstreamError } from "./upstream-error.ts";

/** Reads one whole body. */
export function readBody(
  dispatcher: Dispatcher,
  options: ExchangeOptions,
  limits: { readonly timeoutMs: number; readonly maxBodyBytes: number },
  signal: AbortSignal,
): { readonly text: Promise<string>; readonly sent: () => boolean } {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let length = 0;
  const timer = setTimeout(() => {
    exchange.abort(
      new UpstreamError("total_timeout", `not answered within ${limits.timeoutMs} ms`, {
        limitMs: limits.timeoutMs,
      }),
    );
  }, limits.timeoutMs);
  const onAbort = () => exchange.abort(abortReason(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  const exchange = startExchange(dispatcher, options, {
    onChunk(chunk) {
      length += chunk.length;
      if (length > limits.maxBodyBytes) {
        throw new UpstreamError("too_large", `more than ${limits.maxBodyBytes} bytes`);
      }
      chunks.push(Buffer.from(chunk));
    },
    onEnd(error) {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      if (error) reject(error);
      else resolve(Buffer.concat(chunks).toString("utf8"));
    },
  });
  return { text: promise, sent: () => exchange.sent };
}
