import { longTexts } from "./long-texts.ts";

/** Twice as long takes twice the time; what takes four times is found also on a machine that is busy. */
const maxGrowth = 3;
/** Of less nothing can be told. */
const leastMs = 60;
const attempts = 4;

/** Processor time, so that what else runs on the machine does not count. */
function costMs(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Texts of which twice as much takes much more than twice the time to read, with how much more. */
export function growFaster(read: (text: string) => unknown, length: number): string[] {
  return [...longTexts].flatMap(([name, make]) => {
    const [short, long] = [make(length), make(2 * length)];
    let [least, most] = [0, Number.POSITIVE_INFINITY];
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      most = Math.min(
        most,
        costMs(() => read(long)),
      );
      if (most < leastMs) return [];
      least = Math.max(
        least,
        costMs(() => read(short)),
      );
      if (most / least < maxGrowth) return [];
    }
    return [`${name}: ${(most / least).toFixed(1)} times the time`];
  });
}
