import { integer } from '@souk/config';
import { on } from '@souk/messaging';
import { saga } from '@souk/saga';
import { type Deps, defineService } from '@souk/service';
import { CounterService, IncreasedSchema, TellerService } from '../../../tests/support/corner/contract.ts';

type CounterDeps = Deps<Record<never, never>, { readonly step: number }, { readonly log: string[] }>;

const announce = saga<CounterDeps, { readonly name: string }>('announce', 1)
  .step('note', {
    kind: 'read',
    run: async (_ctx, { input }, deps) => {
      deps.parts.log.push(`saga ${input.name}`);
      return {};
    },
  })
  .define();

/** Counts in its own database, publishes, and starts a saga. @param log Hears what happens. */
export const counter = (log: string[]) =>
  defineService({
    name: 'counter',
    serves: [CounterService],
    publishes: [IncreasedSchema],
    sagas: [announce],
    settings: { step: integer({ default: 1, describe: 'How much one step is.' }) },
    migrations: [{ id: 'counter/0001-count', sql: 'create table count (name text primary key, value int not null);' }],
    parts: () => ({ log }),
    start: (deps) => {
      log.push('start counter');
      deps.schedule({ name: 'tick', everyMs: 5, run: async () => void log.push('tick') });
      deps.onStop(async () => void log.push('stop counter'));
      return {
        increase: (ctx, { name, by }) =>
          deps.db.tx(ctx, async (tx) => {
            const { rows } = await tx.query<{ value: number }>(
              `insert into count as c (name, value) values ($1, $2)
               on conflict (name) do update set value = c.value + excluded.value returning value`,
              [name, by * deps.settings.step],
            );
            const value = rows[0]?.value ?? 0;
            await deps.events.publish(tx, IncreasedSchema, { name, value });
            await deps.sagas.start(tx, announce, { id: deps.runtime.ids.next('saga'), input: { name }, ctx });
            tx.afterCommit(() => deps.count('increased'));
            return { name, value };
          }),
        getCount: async (ctx, { name }) => {
          const { rows } = await deps.db
            .at(ctx)
            .query<{ value: number }>('select value from count where name = $1', [name]);
          return { name, value: rows[0]?.value ?? 0 };
        },
      };
    },
  });

/** Asks the counter, and hears its events. */
export const teller = (log: string[]) =>
  defineService({
    name: 'teller',
    serves: [TellerService],
    calls: { counter: CounterService },
    consumes: [
      on(IncreasedSchema, () => async (_ctx, { name, value }) => {
        log.push(`heard ${name} ${value}`);
      }),
    ],
    start: (deps) => {
      log.push('start teller');
      deps.onStop(async () => void log.push('stop teller'));
      return {
        tell: async (ctx, { name }) => {
          const { value } = await deps.calls.counter.getCount(ctx, { name });
          return { text: `${ctx.caller.userId} asked: ${name} is ${value}` };
        },
      };
    },
  });
