/**
 * Work that nobody waits for, and that tells by itself what fails in it. What it raises all the same is a defect, which ends
 * the process in order: nothing else would tell of it.
 */
export function unwaited(work: Promise<unknown>): void {
  work.catch((error: unknown) => {
    queueMicrotask(() => {
      throw error;
    });
  });
}
