/** A length of time as people write it: `250ms`, `10s`, `15m`, `12h`, `7d`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** A size as people write it: `512B`, `64KiB`, `1MiB`, `2GiB`; `kB`, `MB` and `GB` count in thousands. */
export type Size = `${number}${'B' | 'KiB' | 'MiB' | 'GiB' | 'kB' | 'MB' | 'GB'}`;

type Units = ReadonlyArray<readonly [unit: string, factor: number]>;

// Largest first: printing takes the first unit that divides the value.
const TIME: Units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];
const BINARY: Units = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
  ['B', 1],
];
const DECIMAL: Units = [
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
];

/** Whole milliseconds, or undefined when `text` is no duration. `0` needs no unit; any other number does. */
export const parseDuration = (text: string): number | undefined => parse(text, TIME);

/** Whole bytes, or undefined when `text` is no size. `0` needs no unit; any other number does. */
export const parseSize = (text: string): number | undefined => parse(text, [...BINARY, ...DECIMAL]);

export const formatDuration = (ms: number): string => format(ms, TIME);

export const formatSize = (bytes: number): string => format(bytes, BINARY);

function parse(text: string, units: Units): number | undefined {
  const [, digits, unit] = /^(\d{1,15}(?:\.\d{1,6})?)([A-Za-z]*)$/.exec(text.trim()) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  if (unit === '') return Number(digits) === 0 ? 0 : undefined;
  const factor = units.find(([name]) => name === unit)?.[1];
  if (factor === undefined) return undefined;
  // 0.1 * 3 and the like leave a tail far below one unit.
  const value = Number((Number(digits) * factor).toFixed(6));
  return Number.isSafeInteger(value) ? value : undefined;
}

function format(value: number, units: Units): string {
  const [unit, factor] = units.find(([, size]) => value !== 0 && value % size === 0) ?? (units.at(-1) as Units[number]);
  return `${value / factor}${unit}`;
}
