const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time for people, in its two largest units: `340 ms`, `12.3 s`, `5 min 3 s`, `2 h 5 min`, `3 d 4 h`. */
export function span(ms: number): string {
  const rounded = Math.max(0, Math.round(ms));
  if (rounded < SECOND) return `${rounded} ms`;
  if (rounded < MINUTE) return `${(Math.floor(rounded / 100) / 10).toFixed(1)} s`;
  if (rounded < HOUR) return two(rounded, MINUTE, 'min', SECOND, 's');
  if (rounded < DAY) return two(rounded, HOUR, 'h', MINUTE, 'min');
  return two(rounded, DAY, 'd', HOUR, 'h');
}

function two(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName}${rest === 0 ? '' : ` ${rest} ${smallName}`}`;
}

/** `05:20:11`, in UTC, as logs have it. */
export const timeOfDay = (ms: number): string => new Date(ms).toISOString().slice(11, 19);

/** `2026-11-21 05:20:11 UTC`. */
export const dateAndTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
