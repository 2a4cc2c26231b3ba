/**
 * Bytes as they come, and the right to stop them: `return` releases what is behind them, also before the first `next`,
 * where a plain generator would do nothing.
 */
export type ByteStream = AsyncGenerator<Uint8Array, void, void>;

/** `source`, and `release` called once at its end, its failure or when nobody wants more. */
export function releasing(source: ByteStream, release: () => void): ByteStream {
  let released = false;
  const once = () => {
    if (released) return;
    released = true;
    release();
  };
  const stream: ByteStream = {
    async next() {
      try {
        const next = await source.next();
        if (next.done) once();
        return next;
      } catch (error) {
        once();
        throw error;
      }
    },
    async return() {
      once();
      return source.return();
    },
    async throw(error) {
      once();
      return source.throw(error);
    },
    [Symbol.asyncIterator]: () => stream,
    async [Symbol.asyncDispose]() {
      await stream.return();
    },
  };
  return stream;
}

/** Bytes that are all there. */
export async function* streamOf(...chunks: readonly Uint8Array[]): ByteStream {
  yield* chunks;
}

/** `first`, then `rest`. */
export function prepended(first: Uint8Array, rest: ByteStream): ByteStream {
  const joined = async function* (): ByteStream {
    if (first.length > 0) yield first;
    yield* rest;
  };
  return releasing(joined(), () => {
    // What fails while it is ended has nobody to tell.
    rest.return().catch(() => undefined);
  });
}

/** All of them; null, and the stream released, when they are more than `maxBytes`. */
export async function collect(stream: ByteStream, maxBytes: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
