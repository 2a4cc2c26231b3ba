import { unwaited } from "../../../lib/unwaited.ts";
interface Step<T> {
  readonly generator: AsyncGenerator<T, void, void>;
  readonly outcome: { readonly result: IteratorResult<T, void> } | { readonly error: unknown };
}

/**
 * Runs generators side by side, at most `limit` at a time, and yields what they yield as it comes. None runs ahead of
 * the reader by more than one value. When one throws, or the reader leaves, `stop` is called, which must make the
 * others end soon, and all are waited for.
 */
export async function* merge<T>(
  generators: readonly AsyncGenerator<T, void, void>[],
  limit: number,
  stop: () => void,
): AsyncGenerator<T, void, void> {
  const waiting = [...generators];
  const running = new Set<AsyncGenerator<T, void, void>>();
  const ready: Step<T>[] = [];
  let wake: (() => void) | null = null;

  const advance = async (generator: AsyncGenerator<T, void, void>): Promise<void> => {
    running.add(generator);
    try {
      ready.push({ generator, outcome: { result: await generator.next() } });
    } catch (error) {
      ready.push({ generator, outcome: { error } });
    }
    wake?.();
  };

  try {
    for (;;) {
      while (running.size < limit) {
        const next = waiting.shift();
        if (!next) break;
        unwaited(advance(next));
      }
      if (running.size === 0) return;
      if (ready.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = null;
      }
      const step = ready.shift();
      if (!step) continue;
      if ("error" in step.outcome) throw step.outcome.error;
      if (step.outcome.result.done) {
        running.delete(step.generator);
      } else {
        unwaited(advance(step.generator));
        yield step.outcome.result.value;
      }
    }
  } finally {
    if (running.size > 0) stop();
    await Promise.allSettled([...running, ...waiting].map((each) => each.return()));
  }
}
