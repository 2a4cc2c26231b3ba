interface Watcher<T> {
  /** Called with each value before the consumer has it. */
  onValue(value: T): void;
  /** Called once: the generator has ended (`isDone`), has raised `error`, or the consumer has left. */
  onEnd(how: { readonly isDone: boolean } | { readonly error: unknown }): void;
}

/** The same generator, watched. A generator around it would do, but costs twice the time for each value. */
export function watched<T>(
  generator: AsyncGenerator<T, void, void>,
  watcher: Watcher<T>,
): AsyncGenerator<T, void, void> {
  let isOver = false;
  const end: typeof watcher.onEnd = (how) => {
    if (isOver) return;
    isOver = true;
    watcher.onEnd(how);
  };
  const onResult = (result: IteratorResult<T, void>) => {
    if (result.done === true) end({ isDone: true });
    else watcher.onValue(result.value);
    return result;
  };
  const onError = (error: unknown) => {
    end({ error });
    throw error;
  };
  const leave = (leaving: Promise<IteratorResult<T, void>>) =>
    leaving.finally(() => end({ isDone: false }));
  return {
    next: () => generator.next().then(onResult, onError),
    return: () => leave(generator.return()),
    throw: (error) => leave(generator.throw(error)),
    async [Symbol.asyncDispose]() {
      await this.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
