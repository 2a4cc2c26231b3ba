/** Resolves when `work` has settled, however it did, or after `timeMs`. */
export async function settledWithin(work: Promise<unknown>, timeMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    work.catch(() => undefined),
    new Promise((resolve) => {
      timer = setTimeout(resolve, timeMs);
    }),
  ]);
  clearTimeout(timer);
}
