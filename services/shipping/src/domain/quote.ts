/** What it costs to send a parcel, and how long it takes. */
export interface Quote {
  readonly carrier: string;
  readonly service: string;
  readonly minorUnits: bigint;
  readonly minDays: number;
  readonly maxDays: number;
}

interface Tariff {
  readonly carrier: string;
  readonly service: string;
  /** In hundredths of a whole unit: for the parcel, and for each item beyond the first. */
  readonly base: bigint;
  readonly perItem: bigint;
  readonly days: readonly [number, number];
}

const TARIFFS: readonly Tariff[] = [
  { carrier: 'souk-post', service: 'standard', base: 490n, perItem: 50n, days: [2, 4] },
  { carrier: 'souk-express', service: 'express', base: 1290n, perItem: 100n, days: [1, 1] },
];

/** Abroad a parcel costs this many times as much and takes this many days longer. */
const ABROAD = { factor: 3n, days: 4 };

/**
 * @param items How many items the parcel holds.
 * @param exponent Decimals of the currency: tariffs are the same number of whole units in every currency, and a hundred times as many yen.
 */
export function quotes(items: number, abroad: boolean, exponent: number): Quote[] {
  return TARIFFS.map(({ carrier, service, base, perItem, days: [minDays, maxDays] }) => {
    const home = base + perItem * BigInt(Math.max(0, items - 1));
    const hundredths = abroad ? home * ABROAD.factor : home;
    return {
      carrier,
      service,
      minorUnits: exponent > 2 ? hundredths * 10n ** BigInt(exponent - 2) : hundredths,
      minDays: minDays + (abroad ? ABROAD.days : 0),
      maxDays: maxDays + (abroad ? ABROAD.days : 0),
    };
  });
}
