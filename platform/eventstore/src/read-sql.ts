import { EVENT_COLUMNS } from './event-row.ts';

// Transactions get their ids in order and end in any order. Below the oldest id that is still at work (the xmin of a snapshot) nothing
// can appear any more, so a cursor that stays below it misses nothing. `(epoch, xid, position)` is the order for everybody. Bounds are
// row comparisons with values that are computed once, so that the index gives the rows in order and ends where it must.

const BOUND = `bound AS MATERIALIZED (
    SELECT m.epoch, pg_snapshot_xmin(pg_current_snapshot()) AS xid FROM souk.es_meta m
  )`;

const SETTLED = '(e.epoch, e.xid) < ((SELECT epoch FROM bound), (SELECT xid FROM bound))';

const HEAD_ROW = `
    SELECT e.epoch AS head_epoch, e.xid::text AS head_xid, e.position AS head_position FROM souk.es_event e
    WHERE ${SETTLED} ORDER BY e.epoch DESC, e.xid DESC, e.position DESC LIMIT 1`;

export const HEAD = `
  /* read-head */
  WITH ${BOUND}
  ${HEAD_ROW}`;

type Direction = 'forward' | 'backward';

/**
 * $1 to $3 position, $4 limit, $5 all that is committed, $6 and $7 number of parts and index of the one wanted or null, $8 category.
 * One row at least: it carries the head of the same snapshot.
 */
function readAll(direction: Direction, filtered: boolean): string {
  const [beyond, order] = direction === 'forward' ? ['>', ''] : ['<', ' DESC'];
  const sorted = `e.epoch${order}, e.xid${order}, e.position${order}`;
  return `
  /* read-all */
  WITH ${BOUND}, upto AS MATERIALIZED (
    SELECT CASE WHEN $5::boolean THEN epoch + 1 ELSE epoch END AS epoch, xid FROM bound
  )
  SELECT h.*, e.*, EXISTS (SELECT FROM souk.es_event k WHERE (k.epoch, k.xid, k.position) >= ($1::int, $2::xid8, $3::bigint)) AS known
  FROM bound LEFT JOIN LATERAL (${HEAD_ROW}
  ) h ON true LEFT JOIN LATERAL (
    SELECT ${EVENT_COLUMNS} FROM souk.es_event e
    WHERE (e.epoch, e.xid, e.position) ${beyond} ($1::int, $2::xid8, $3::bigint)
      AND (e.epoch, e.xid) < ((SELECT epoch FROM upto), (SELECT xid FROM upto))
      ${filtered ? "AND split_part(e.stream, '-', 1) = $8" : ''}
      AND ($6::int IS NULL OR souk.es_partition(e.stream, $6) = $7)
    ORDER BY ${filtered ? `split_part(e.stream, '-', 1), ${sorted}` : sorted} LIMIT $4
  ) e ON true
  ORDER BY ${sorted.replaceAll('e.xid', 'e.xid::xid8')}`;
}

export const READ_ALL = {
  forward: { all: readAll('forward', false), category: readAll('forward', true) },
  backward: { all: readAll('backward', false), category: readAll('backward', true) },
} as const;
