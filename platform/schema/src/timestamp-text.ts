/** The years 1 to 9999. */
const SECONDS = { from: -62_135_596_800, to: 253_402_300_799 };
const SECONDS_PER_DAY = 86_400;
const NANOS_PER_MS = 1_000_000;

/** Numbers below 1000 with two and with three digits. */
const TWO: readonly string[] = Array.from({ length: 100 }, (_, number) => String(number).padStart(2, '0'));
const THREE: readonly string[] = Array.from({ length: 1000 }, (_, number) => String(number).padStart(3, '0'));

/**
 * A time in RFC 3339, in UTC, with no fraction or three digits of it. By arithmetic: `Date` takes ten times as long.
 *
 * @param seconds Since 1970-01-01T00:00:00Z.
 * @returns undefined for what is finer than a millisecond, outside of the years 1 to 9999, or not a time at all
 */
export function timestampText(seconds: number, nanos: number): string | undefined {
  const ms = nanos / NANOS_PER_MS;
  if (!(Number.isInteger(ms) && ms >= 0 && ms < 1000)) return undefined;
  if (!(seconds >= SECONDS.from && seconds <= SECONDS.to)) return undefined;
  const day = Math.floor(seconds / SECONDS_PER_DAY);
  const second = seconds - day * SECONDS_PER_DAY;
  const time = `${TWO[Math.floor(second / 3600)]}:${TWO[Math.floor(second / 60) % 60]}:${TWO[second % 60]}`;
  return `${dateText(day)}T${time}${ms === 0 ? '' : `.${THREE[ms]}`}Z`;
}

const DAYS_PER_ERA = 146_097;
const DAYS_FROM_0000_03_01_TO_1970 = 719_468;

/** The Gregorian date of a day since 1970-01-01. Years are counted from March, so that the leap day is the last of a year. */
function dateText(day: number): string {
  const shifted = day + DAYS_FROM_0000_03_01_TO_1970;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  // Months from March repeat 31, 30, 31, 30, 31: 153 days in five months.
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const dayOfMonth = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0);
  return `${TWO[Math.floor(year / 100)]}${TWO[year % 100]}-${TWO[month]}-${TWO[dayOfMonth]}`;
}
