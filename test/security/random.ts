/** Chance that can be repeated: the same seed gives the same values. */
export interface Random {
  /** From 0 up to, not including, `end`. */
  below(end: number): number;
  between(first: number, last: number): number;
  pick<T>(from: readonly T[]): T;
  chance(probability: number): boolean;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const random: Random = {
    below: (end) => Math.floor(next() * end),
    between: (first, last) => first + random.below(last - first + 1),
    pick: (from) => from[random.below(from.length)] as (typeof from)[number],
    chance: (probability) => next() < probability,
  };
  return random;
}
