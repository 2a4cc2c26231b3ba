/**
 * The size to which the largest of `sizes` have to be trimmed so that all together are at most `total`: the small ones
 * stay whole. Infinity when nothing has to go.
 */
export function trimLevel(sizes: readonly number[], total: number): number {
  let rest = total;
  const ascending = sizes.toSorted((a, b) => a - b);
  for (const [index, size] of ascending.entries()) {
    const share = rest / (ascending.length - index);
    if (size > share) return Math.max(0, share);
    rest -= size;
  }
  return Infinity;
}
