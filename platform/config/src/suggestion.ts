/** `, did you mean a or b?` when some known names look like the unknown one, else nothing. */
export function didYouMean(unknown: string, known: Iterable<string>): string {
  const near = nearest(unknown, known);
  return near.length === 0 ? '' : `, did you mean ${near.join(' or ')}?`;
}

/** The known names at most a third of their length and `atMost` letters away, nearest first, two at most. */
export function nearest(unknown: string, known: Iterable<string>, atMost = 4): string[] {
  const close = [];
  for (const name of known) {
    const allowed = Math.max(1, Math.floor(Math.min(name.length, unknown.length) / 3));
    const apart = distance(unknown.toLowerCase(), name.toLowerCase());
    if (apart <= Math.min(allowed, atMost)) close.push({ name, apart });
  }
  return close
    .sort((a, b) => a.apart - b.apart)
    .slice(0, 2)
    .map(({ name }) => name);
}

/** Letters to add, drop, change or swap with their neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  const at = (i: number, j: number): number => rows[i]?.[j] as number;
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j += 1) {
      const change = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, at(i - 1, j) + 1, at(i, j - 1) + 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(at(i, j), at(i - 2, j - 2) + 1);
    }
  }
  return at(a.length, b.length);
}
