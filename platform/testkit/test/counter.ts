import { defineErrors } from '@souk/kernel';
import { on } from '@souk/messaging';
import { defineService } from '@souk/service';
import { CounterService, IncreasedSchema, TellerService } from '../../../tests/support/corner/contract.ts';

export const counterErrors = defineErrors('COUNTER', {
  SECRET: { code: 'failed_precondition', text: 'no' },
});

/** Counts, tells what it counted through another service, and hears its own event. */
export const counter = defineService({
  name: 'counter',
  serves: [CounterService],
  calls: { teller: TellerService },
  publishes: [IncreasedSchema],
  consumes: [
    on(IncreasedSchema, (deps: { readonly count: (event: string) => void }) => async (_ctx, event, delivery) => {
      await delivery.once(async (tx) => {
        await tx.query('insert into heard (name) values ($1)', [event.name]);
        tx.afterCommit(() => deps.count('heard'));
      });
    }),
  ],
  migrations: [
    {
      id: 'counter/0001-count',
      sql: 'create table count (name text primary key, value int not null); create table heard (name text not null);',
    },
  ],
  start: (deps) => {
    deps.schedule({
      name: 'clear',
      everyMs: 1000,
      run: async (ctx) => void (await deps.db.at(ctx).query('delete from count')),
    });
    return {
      increase: async (ctx, { name, by }) => {
        const { text } = await deps.calls.teller.tell(ctx, { name });
        return deps.db.tx(ctx, async (tx) => {
          const { rows } = await tx.query<{ value: number }>(
            `insert into count as c (name, value) values ($1, $2)
             on conflict (name) do update set value = c.value + excluded.value returning value`,
            [name, by],
          );
          const value = rows[0]?.value ?? 0;
          await deps.events.publish(tx, IncreasedSchema, { name, value });
          deps.log.info('increased', { name, text });
          return { name, value };
        });
      },
      getCount: async (_ctx, { name }) => ({ name, value: 0 }),
    };
  },
});
