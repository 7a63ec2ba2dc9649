import pg from 'pg';

const { builtins } = pg.types;

/** OIDs of array types that the driver gets wrong or leaves as text. */
const INT8_ARRAY = 1016;

const bigints = (text: string): (bigint | null)[] =>
  text === '{}'
    ? []
    : text
        .slice(1, -1)
        .split(',')
        .map((item) => (item === 'NULL' ? null : BigInt(item)));

const asText = (text: string): string => text;

const own = new Map<number, (text: string) => unknown>([
  [builtins.INT8, BigInt],
  [INT8_ARRAY, bigints],
  // A date has no zone, so it cannot be an instant.
  [builtins.DATE, asText],
  [builtins.TIMESTAMP, asText],
]);

/** How columns arrive: int8 as bigint, numeric as string, timestamptz as Date, date as string, bytea as Buffer, jsonb parsed. */
export const typeParsers: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    own.get(oid) ?? pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
};
