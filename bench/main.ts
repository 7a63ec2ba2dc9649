import { parseArgs } from 'node:util';
import { printTable, type Result } from './lib/result.ts';

/** A measurement: checks its work and throws when anything is missing or doubled. */
export interface Bench {
  readonly summary: string;
  run(options: { readonly quick: boolean; readonly note: (line: string) => void }): Promise<Result[]>;
}

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  startup: async () => (await import('./cases/startup.ts')).startup,
  checkout: async () => (await import('./cases/checkout.ts')).checkout,
  saga: async () => (await import('./cases/saga.ts')).sagas,
  events: async () => (await import('./cases/events.ts')).events,
  outbox: async () => (await import('./cases/outbox.ts')).outbox,
  projections: async () => (await import('./cases/projections.ts')).projections,
  history: async () => (await import('./cases/history.ts')).history,
  catalog: async () => (await import('./cases/catalog.ts')).catalog,
  resilience: async () => (await import('./cases/resilience.ts')).resilience,
  registry: async () => (await import('./cases/registry.ts')).registry,
  balance: async () => (await import('./cases/balance.ts')).balance,
  rpc: async () => (await import('./cases/rpc.ts')).rpc,
  topology: async () => (await import('./cases/topology.ts')).topology,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
});
const names = positionals.length > 0 ? positionals : values.help ? [] : Object.keys(BENCHES);
const unknown = names.find((name) => !Object.hasOwn(BENCHES, name));
if (values.help || unknown !== undefined) {
  if (unknown !== undefined) console.error(`bench: there is no '${unknown}'`);
  console.error('Usage: npm run bench -- [name ...] [--json] [--quick]\n');
  for (const [name, load] of Object.entries(BENCHES)) console.error(`  ${name.padEnd(10)} ${(await load()).summary}`);
  process.exit(unknown === undefined ? 0 : 2);
}

for (const name of names) {
  const bench = await (BENCHES[name] as () => Promise<Bench>)();
  if (!values.json) console.log(`\n${name}: ${bench.summary}`);
  const results = await bench.run({ quick: values.quick === true, note: (line) => console.error(`  ${line}`) });
  if (values.json) for (const result of results) console.log(JSON.stringify(result));
  else printTable(results);
}
