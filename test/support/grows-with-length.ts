import { longTexts } from "./long-texts.ts";

/** Twice as long takes twice the time; what takes four times is found also on a machine that is busy. */
const maxGrowth = 3;
/** Of less nothing can be told, of a text of the length that is asked for. */
const leastMs = 60;
const attempts = 4;

/** Processor time, so that what else runs on the machine does not count. */
function costMs(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/**
 * Texts of which twice as much takes much more than twice the time to read, with how much more. Where that is not so at
 * half the length, a bound was passed beyond which they are read in another way.
 */
export function growFaster(read: (text: string) => unknown, length: number): string[] {
  return [...longTexts].flatMap(([name, make]) => {
    const growths = [growthOf(read, make, length, leastMs)];
    if (growths[0] !== null) growths.push(growthOf(read, make, length / 2, leastMs / 8));
    if (growths.includes(null)) return [];
    return [`${name}: ${growths.map((growth) => growth?.toFixed(1)).join(" and ")} times the time`];
  });
}

/** How much longer twice the length takes; null: not much more than twice. */
function growthOf(
  read: (text: string) => unknown,
  make: (length: number) => string,
  length: number,
  leastMs: number,
): number | null {
  const [short, long] = [make(length), make(2 * length)];
  let [least, most] = [0, Number.POSITIVE_INFINITY];
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    most = Math.min(
      most,
      costMs(() => read(long)),
    );
    if (most < leastMs) return null;
    least = Math.max(
      least,
      costMs(() => read(short)),
    );
    if (most / least < maxGrowth) return null;
  }
  return most / least;
}
