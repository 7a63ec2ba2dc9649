/*
 * Reservations and the stock they hold.
 *
 *   (none) --reserve--> RESERVED --commit--> COMMITTED --giveBack--> RELEASED
 *      |                   +--release--> RELEASED
 *      |                   +--expire---> EXPIRED --commit, if there is stock--> COMMITTED
 *      +--release, giveBack--> RELEASED (a tombstone: a late reserve is refused)
 *
 * I1 stock.reserved is the sum of RESERVED reservations.  I2 reserved never exceeds on_hand (also a CHECK).  I3 each arrow is one
 * statement whose condition is the state it starts from, so a repeat does nothing.  I4 a reservation is locked before its stock, and rows of
 * stock in the order of product ids.  I5 goods that have left
 * the house (`left_house`) are not given back.  I6 a change of stock is computed from the rows as they were locked: PostgreSQL checks constraints on the
 * row of the snapshot first, so `reserved = s.reserved + n` fails on numbers that are out of date.
 */
import type { Sql, Transaction } from '@souk/store';

export type ReservationState = 'RESERVED' | 'COMMITTED' | 'RELEASED' | 'EXPIRED';

export interface Reservation {
  readonly order_id: string;
  readonly id: string;
  readonly state: ReservationState;
  readonly product_ids: string[];
  readonly quantities: number[];
  readonly expires_at: Date;
}

/** The stock rows of a reservation, locked in order (I4). `r` and `held` name the reservation and its unnested lines. */
const HELD = `
  held as (select l.product_id, l.quantity from r, unnest(r.product_ids, r.quantities) as l(product_id, quantity)),
  locked as (
    select s.* from stock s where s.product_id in (select product_id from held) order by s.product_id for update
  )`;

const RESERVE = `
  with mine as (select 1 from reservation where order_id = $1 for update),
  wanted as (
    select * from unnest($3::text[], $4::int[]) as w(product_id, quantity) where not exists (select 1 from mine)
  ),
  locked as (
    select * from stock
    where product_id = any($3) and not exists (select 1 from mine) order by product_id for update
  ),
  short as (
    select w.product_id from wanted w left join locked l using (product_id)
    where coalesce(l.on_hand - l.reserved, 0) < w.quantity
  ),
  made as (
    insert into reservation (order_id, id, state, product_ids, quantities, expires_at)
    select $1, $2, 'RESERVED', $3, $4, $5 where not exists (select 1 from short) and not exists (select 1 from mine)
    on conflict (order_id) do nothing
    returning order_id
  ),
  taken as (
    update stock s set on_hand = l.on_hand, reserved = l.reserved + w.quantity, version = l.version + 1,
      low_announced = l.low_announced or l.on_hand - l.reserved - w.quantity <= $6
    from wanted w join locked l using (product_id) where s.product_id = w.product_id and exists (select 1 from made)
    returning s.product_id, s.on_hand - s.reserved as available
  )
  select (select array_agg(product_id) from short) as short, exists (select 1 from made) as made,
    (select json_agg(json_build_object('productId', t.product_id, 'available', t.available))
     from taken t join locked l using (product_id) where not l.low_announced and t.available <= $6) as low`;

/** A product that has just become low. */
export interface LowStock {
  readonly productId: string;
  readonly available: number;
}

/**
 * Takes stock for an order, all lines or none, in one conditional statement.
 *
 * @param reservation Columns have one entry per product, sorted: see `toColumns`. `low` is the number of units at or below which a product
 * is announced as low.
 * @returns which products are short; none of them and not made: the order has a reservation already
 */
export async function reserve(
  sql: Sql,
  reservation: {
    orderId: string;
    id: string;
    productIds: string[];
    quantities: number[];
    expiresAt: Date;
    low: number;
  },
): Promise<{ short: readonly string[]; made: boolean; low: readonly LowStock[] }> {
  const { orderId, id, productIds, quantities, expiresAt, low } = reservation;
  const values = [orderId, id, productIds, quantities, expiresAt, low];
  const { rows } = await sql.query<{ short: string[] | null; made: boolean; low: LowStock[] | null }>(RESERVE, values);
  return { short: rows[0]?.short ?? [], made: rows[0]?.made ?? false, low: rows[0]?.low ?? [] };
}

export async function findReservation(sql: Sql, orderId: string): Promise<Reservation | undefined> {
  const { rows } = await sql.query<Reservation>('select * from reservation where order_id = $1', [orderId]);
  return rows[0];
}

const COMMIT = `
  with r as (
    update reservation set state = 'COMMITTED' where order_id = $1 and state = 'RESERVED' and expires_at > $2 returning *
  ), ${HELD},
  sold as (
    update stock s set on_hand = l.on_hand - h.quantity, reserved = l.reserved - h.quantity, version = l.version + 1
    from held h join locked l using (product_id) where s.product_id = h.product_id
    returning s.product_id
  ),
  moved as (
    insert into stock_move (product_id, delta, reason, ref, at) select product_id, -quantity, 'sale', $1, $2 from held returning 1
  )
  select r.*, (select count(*) from sold) as sold, (select count(*) from moved) as moved from r`;

/** Turns what is held into a sale. @returns undefined unless it was RESERVED and has not expired */
export async function commit(sql: Sql, orderId: string, now: Date): Promise<Reservation | undefined> {
  const { rows } = await sql.query<Reservation>(COMMIT, [orderId, now]);
  return rows[0];
}

const COMMIT_EXPIRED = `
  with c as (select * from reservation where order_id = $1 and (state = 'EXPIRED' or (state = 'RESERVED' and expires_at <= $2)) for update),
  lines as (
    select l.product_id, l.quantity, case when c.state = 'RESERVED' then l.quantity else 0 end as own
    from c, unnest(c.product_ids, c.quantities) as l(product_id, quantity)
  ),
  locked as (
    select s.* from stock s where s.product_id in (select product_id from lines) order by s.product_id for update
  ),
  short as (select product_id from lines left join locked using (product_id) where coalesce(on_hand - reserved, 0) + own < quantity),
  r as (
    update reservation x set state = 'COMMITTED' from c where x.order_id = c.order_id and not exists (select 1 from short) returning x.*
  ),
  sold as (
    update stock s set on_hand = l.on_hand - i.quantity, reserved = l.reserved - i.own, version = l.version + 1
    from lines i join locked l using (product_id) where s.product_id = i.product_id and exists (select 1 from r)
    returning 1
  ),
  moved as (
    insert into stock_move (product_id, delta, reason, ref, at)
    select product_id, -quantity, 'sale', $1, $2 from lines where exists (select 1 from r) returning 1
  )
  select r.*, (select count(*) from sold) as sold, (select count(*) from moved) as moved from r`;

/** Sells what an expired reservation had held, if there is still stock. @returns undefined when there is not */
export async function commitExpired(sql: Sql, orderId: string, now: Date): Promise<Reservation | undefined> {
  const { rows } = await sql.query<Reservation>(COMMIT_EXPIRED, [orderId, now]);
  return rows[0];
}

const RELEASE = `
  with c as (select * from reservation where order_id = $1 for update),
  r as (
    update reservation x set state = 'RELEASED' from c
    where x.order_id = c.order_id and c.state in ('RESERVED', 'EXPIRED')
    returning x.*, c.state = 'RESERVED' as was_held
  ),
  tombstone as (
    insert into reservation (order_id, id, state, product_ids, quantities, expires_at)
    values ($1, $2, 'RELEASED', '{}', '{}', $3) on conflict (order_id) do nothing
    returning *
  ), ${HELD},
  freed as (
    update stock s set on_hand = l.on_hand, reserved = l.reserved - h.quantity, version = l.version + 1,
      low_announced = l.low_announced and l.on_hand - l.reserved + h.quantity <= $4
    from r, held h join locked l using (product_id) where r.was_held and s.product_id = h.product_id
    returning 1
  )
  select order_id, id, state, product_ids, quantities, expires_at, (select count(*) from freed) as freed from r
  union all
  select order_id, id, state, product_ids, quantities, expires_at, 0 from tombstone`;

/**
 * Gives back what is held for an order that never was confirmed; leaves a tombstone when nothing was. When it finds nothing to do, it keeps the
 * reservation locked, so that a `giveBack` that follows in the same transaction decides on the state that was found.
 *
 * @returns undefined when there was nothing to release any more
 */
export async function release(
  tx: Transaction,
  order: { orderId: string; id: string; low: number },
  now: Date,
): Promise<Reservation | undefined> {
  const values = [order.orderId, order.id, now, order.low];
  const released = (await tx.query<Reservation>(RELEASE, values)).rows[0];
  if (released) return released;
  // A reservation that was made while the tombstone waited for it is not in the snapshot of that statement.
  const { rows } = await tx.query<{ state: ReservationState }>(
    'select state from reservation where order_id = $1 for update',
    [order.orderId],
  );
  if (rows[0]?.state !== 'RESERVED') return undefined;
  return (await tx.query<Reservation>(RELEASE, values)).rows[0];
}

const GIVE_BACK = `
  with r as (update reservation set state = 'RELEASED' where order_id = $1 and state = 'COMMITTED' and not left_house returning *), ${HELD},
  restocked as (
    update stock s set on_hand = l.on_hand + h.quantity, reserved = l.reserved, version = l.version + 1, low_announced = false
    from held h join locked l using (product_id) where s.product_id = h.product_id
    returning 1
  ),
  moved as (
    insert into stock_move (product_id, delta, reason, ref, at) select product_id, quantity, 'return', $1, $2 from held returning 1
  )
  select r.*, (select count(*) from restocked) as restocked, (select count(*) from moved) as moved from r`;

/** Puts sold goods of a cancelled order back on the shelf. @returns undefined when they were not sold */
export async function giveBack(sql: Sql, orderId: string, now: Date): Promise<Reservation | undefined> {
  const { rows } = await sql.query<Reservation>(GIVE_BACK, [orderId, now]);
  return rows[0];
}

const TAKE_OUT = `
  with c as (select * from reservation where order_id = $1 and not left_house and product_ids <> '{}' for update),
  lines as (
    select l.product_id, l.quantity from c, unnest(c.product_ids, c.quantities) as l(product_id, quantity) where c.state = 'RELEASED'
  ),
  locked as (
    select s.* from stock s where s.product_id in (select product_id from lines) order by s.product_id for update
  ),
  short as (select product_id from lines left join locked using (product_id) where coalesce(on_hand - reserved, 0) < quantity),
  r as (
    update reservation x set state = 'COMMITTED', left_house = true from c
    where x.order_id = c.order_id and c.state in ('COMMITTED', 'RELEASED') and not exists (select 1 from short) returning x.*
  ),
  taken as (
    update stock s set on_hand = l.on_hand - i.quantity, reserved = l.reserved, version = l.version + 1
    from lines i join locked l using (product_id) where s.product_id = i.product_id and exists (select 1 from r)
    returning 1
  ),
  moved as (
    insert into stock_move (product_id, delta, reason, ref, at)
    select product_id, -quantity, 'not-returned', $1, $2 from lines where exists (select 1 from r) returning 1
  )
  select (select count(*) from short)::int as short, (select count(*) from taken) as taken, (select count(*) from moved) as moved`;

/**
 * Goods of a cancelled order have left the house: what was put back on the shelf for it is taken off again, and what was not stays
 * sold. A repeat does nothing.
 *
 * @returns false when they were put back and are promised to others by now
 */
export async function takeOut(sql: Sql, orderId: string, now: Date): Promise<boolean> {
  const { rows } = await sql.query<{ short: number }>(TAKE_OUT, [orderId, now]);
  return rows[0]?.short === 0;
}

const EXPIRE = `
  with due as (
    select order_id from reservation where state = 'RESERVED' and expires_at <= $1
    order by expires_at limit $2 for update skip locked
  ),
  r as (update reservation x set state = 'EXPIRED' from due where x.order_id = due.order_id returning x.*),
  held as (
    select l.product_id, sum(l.quantity)::int as quantity from r, unnest(r.product_ids, r.quantities) as l(product_id, quantity)
    group by l.product_id
  ),
  locked as (
    select s.* from stock s where s.product_id in (select product_id from held) order by s.product_id for update
  ),
  freed as (
    update stock s set on_hand = l.on_hand, reserved = l.reserved - h.quantity, version = l.version + 1,
      low_announced = l.low_announced and l.on_hand - l.reserved + h.quantity <= $3
    from held h join locked l using (product_id) where s.product_id = h.product_id
    returning 1
  )
  select r.*, (select count(*) from freed) as freed from r`;

/** Gives back what was held too long, a batch at a time. Several sweepers share the work. */
export async function expire(sql: Sql, now: Date, options: { limit: number; low: number }): Promise<Reservation[]> {
  const { rows } = await sql.query<Reservation>(EXPIRE, [now, options.limit, options.low]);
  return rows;
}
