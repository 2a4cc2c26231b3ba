import { longTexts } from "./long-texts.ts";

/**
 * How many times as long the longer text is: what goes with the length takes 4 times the work, what goes with its square
 * 16 times. On a machine that is busy the two are not taken for each other.
 */
const stretch = 4;
const maxGrowth = 8;
/** Of less nothing can be told, of a text of the length that is asked for. */
const leastMs = 200;
const attempts = 4;

/** Processor time, so that what else runs on the machine does not count. */
function costMs(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/**
 * Texts of which more takes more than goes with their length, with how much more. The length is to be one beyond all
 * bounds from which on a text is read in another way: up to there the work may grow as it likes.
 */
export function growFaster(read: (text: string) => unknown, length: number): string[] {
  return [...longTexts].flatMap(([name, make]) => {
    const growth = growthOf(read, make(length), () => make(stretch * length));
    return growth === null ? [] : [`${name}: ${growth.toFixed(1)} times the time`];
  });
}

/** How many times the cost of the short text the long one has; null: not much more than it is longer. */
function growthOf(
  read: (text: string) => unknown,
  short: string,
  makeLong: () => string,
): number | null {
  let [least, most] = [costMs(() => read(short)), Number.POSITIVE_INFINITY];
  if (least < leastMs) return null;
  const long = makeLong();
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    most = Math.min(
      most,
      costMs(() => read(long)),
    );
    if (most / least < maxGrowth) return null;
    least = Math.max(
      least,
      costMs(() => read(short)),
    );
  }
  return most / least;
}
