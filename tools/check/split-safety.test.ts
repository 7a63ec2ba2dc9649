import assert from 'node:assert/strict';
import { test } from 'node:test';
import { says } from './planted.ts';
import { splitSafety } from './split-safety.ts';

const ORDERS = 'services/orders/src/a.ts';
const USERS = 'services/users/src/a.ts';

/** Two services that fit together. */
const good: Readonly<Record<string, string>> = {
  'services/users/src/service.ts': `
    import { UserDeletedSchema } from '@souk/contracts/users/v1/events';
    import { UserService } from '@souk/contracts/users/v1/users';
    import { defineService } from '@souk/service';
    import { usersMigrations } from './migrations.ts';
    export const users = defineService({
      name: 'users',
      serves: [UserService],
      publishes: [UserDeletedSchema],
      migrations: usersMigrations,
      start: (deps) => ({ remove: (tx) => deps.events.publish(tx, UserDeletedSchema, {}) }),
    });`,
  'services/users/src/migrations.ts': `
    export const usersMigrations = [
      { id: 'users/1', sql: \`
        create table account (id text primary key);
        CREATE UNLOGGED TABLE IF NOT EXISTS session (id text);
        create or replace view active_account as select * from account;\` },
    ];`,
  'services/orders/src/deps.ts': `
    import { UserService } from '@souk/contracts/users/v1/users';
    export const calls = { users: UserService } as const;`,
  'services/orders/src/service.ts': `
    import { OrderPlacedSchema } from '@souk/contracts/orders/v1/events';
    import { UserDeletedSchema } from '@souk/contracts/users/v1/events';
    import { SagaStuckSchema } from '@souk/saga';
    import { defineService } from '@souk/service';
    import { on } from '@souk/messaging';
    import { calls } from './deps.ts';
    const publishes = [OrderPlacedSchema];
    export const orders = defineService({
      name: 'orders',
      serves: [],
      calls,
      publishes,
      consumes: [on(UserDeletedSchema, (deps: OrdersDeps) => forget(deps, [1, 2])), on(SagaStuckSchema, look)],
      start: (deps) => ({ place: (tx) => deps.events.publish(tx, OrderPlacedSchema, { at: [1] }) }),
    });`,
  'services/orders/src/store.ts': `
    export const stats = defineProjection({ tables: ['order_stats'] });
    const sql = "create table line (id text)";`,
};

const told = async (t: Parameters<typeof says>[0], files: Readonly<Record<string, string>>) =>
  says(t, splitSafety, { ...good, ...files });

test('services that fit together and keep to themselves are fine', async (t) => {
  assert.deepEqual(await told(t, {}), []);
});

const MEMORY = /reaches what is in this process only/;
const NETWORK = /calls past the contracts/;
const DISK = /touches files/;
const TABLE = /orders\/src\/a\.ts:\d+ names account, a table of services\/users/;

test('an event of the programs around the services may be heard', async (t) => {
  const service = `
    import { StuckSchema } from '@souk/contracts/admin/v1/events';
    import { defineService } from '@souk/service';
    export const watcher = defineService({ name: 'watcher', serves: [], consumes: [on(StuckSchema, look)], start });`;
  const app = `import { StuckSchema } from '@souk/contracts/admin/v1/events';\nexport const teller = { publishes: [StuckSchema] };`;
  const watcher = {
    'services/watcher/package.json': '{"name":"@souk/service-watcher"}',
    'services/watcher/src/service.ts': service,
  };
  assert.match((await told(t, watcher)).join(), /StuckSchema is heard and no service publishes it/);
  assert.deepEqual(await told(t, { ...watcher, 'apps/souk/src/teller.ts': app }), []);
});

/** In a module of orders, whose line 2 is at fault. */
const forbidden: Readonly<Record<string, readonly [source: string, told: RegExp]>> = {
  'an emitter of node': ["import { EventEmitter } from 'node:events';", MEMORY],
  'a broadcast channel': ["const channel = () => new BroadcastChannel('orders');", MEMORY],
  'memory shared with threads': ['const shared = () => new SharedArrayBuffer(8);', MEMORY],
  atomics: ['const wait = (a: Int32Array) => Atomics.wait(a, 0, 0);', MEMORY],
  'a thread': ["import { Worker } from 'node:worker_threads';", MEMORY],
  'a child process': ["import { fork } from 'node:child_process';", MEMORY],
  'hidden context': ["import { AsyncLocalStorage } from 'node:async_hooks';", MEMORY],
  'the global object': ['const cache = () => globalThis.cache;', MEMORY],
  'a word to the process': ['const tell = () => process.send?.({ hello: 1 });', MEMORY],
  'signals of the process': ["const stop = () => process.on('SIGTERM', end);", MEMORY],
  'the registry of symbols': ["const key = () => Symbol.for('souk');", MEMORY],
  fetch: ["const get = () => fetch('http://users:8080/');", NETWORK],
  'a web socket': ["const open = () => new WebSocket('ws://users/');", NETWORK],
  'plain HTTP': ["import { request } from 'node:http';", NETWORK],
  'sockets, loaded late': ["const net = () => import('node:net');", NETWORK],
  'an HTTP library': ["import { Pool } from 'undici';", NETWORK],
  'a database driver': ["import { Client } from 'pg';", NETWORK],
  'a client of its own making': ["import { createClient } from '@souk/rpc';", NETWORK],
  files: ["import { readFileSync } from 'node:fs';", DISK],
  'a database in a file': ["import { DatabaseSync } from 'node:sqlite';", DISK],
  'a path into another service': [
    "const file = () => new URL('../../users/src/words.txt', import.meta.url);",
    /leads into services\/users/,
  ],
  'a path from the root': ["const file = () => 'services/users/words.txt';", /leads into services\/users/],
  "another service's name, to be loaded": ["const name = '@souk/service-users';", /leads into services\/users/],
  "another's table": ['const sql = "select * from account where id = $1";', TABLE],
  "another's table in a join": ['const sql = `SELECT * FROM line l JOIN public.account a ON a.id = l.id`;', TABLE],
  "another's table in a list": ['const sql = "select * from line l, account a";', TABLE],
  "another's table, written": ['const sql = "insert into account (id) values ($1)";', TABLE],
  "another's table, changed": ["const sql = 'update only account set id = 1';", TABLE],
  "another's table, removed": ["const sql = 'delete from account';", TABLE],
  "another's table as a reference": ["const sql = 'create table x (id text references account (id))';", TABLE],
  "another's table in a template": [
    'const sql = `select ${columns} from ${\'line\'} join "account" using (id)`;',
    TABLE,
  ],
  "another's view": ["const sql = 'select * from active_account';", /names active_account/],
  'a link between databases': ["const sql = `select * from dblink('x', 'select 1')`;", /dblink leads out/],
  'a foreign server': [
    "const sql = 'CREATE  SERVER users FOREIGN DATA WRAPPER postgres_fdw';",
    /(CREATE SERVER|FOREIGN DATA WRAPPER|postgres_fdw) leads out/,
  ],
  "another's database": [
    "const url = 'postgres://db/souk_users';",
    /names souk_users, the database of another service/,
  ],
  'an instance of the module': ['const cache = new Cache();', /cache is one object for all services/],
  'an object made at load': ['export const pool = createPool({ size: 3 });', /pool is one object for all services/],
  'one that is waited for': ['const db = await openDatabase();', /db is one object for all services/],
  'a static field': ['class A { static count = 0; }', /a static field is state of the process/],
  'a static collection': ['class A { static readonly #all = new Map<string, A>(); }', /a static field/],
};

for (const [name, [source, want]] of Object.entries(forbidden)) {
  test(`finds ${name}`, async (t) => {
    const found = await told(t, { [ORDERS]: `// head\n${source}\n` });
    assert.ok(found.length > 0, 'nothing was found');
    for (const one of found) assert.match(one, want);
    assert.match(found[0] as string, /^services\/orders\/src\/a\.ts:2 /);
  });
}

const permitted: Readonly<Record<string, string>> = {
  'types of what it may not use': "import type { IncomingMessage } from 'node:http';",
  'a member of such a name':
    'const f = (deps: Deps) => deps.process.name + deps.fetch(1);\ninterface A { global?: 1; process: 2 }',
  'words in comments and texts':
    "// fetch('x'), process.env, from account\nconst text = 'from account to account, globalThis';",
  'its own tables': "const sql = 'select * from line join order_stats using (id)';",
  'tables of the platform': "const sql = 'select * from souk.account';",
  "an expression called as another's table": "const sql = 'with account as (select 1) select * from account';",
  "a column called as another's table": "const sql = 'select account from line order by account';",
  "a function called as another's table": "const sql = 'select * from session(1)';",
  'its own database': "const name = 'souk_orders';",
  constants: 'const A = new Map([[1, 2]]);\nconst B = new Uint8Array(0);\nconst C = /x/;\nconst D = createdAt;',
  'objects made where a service starts':
    'export const start = () => {\n  const cache = new Cache();\n  const pool = createPool();\n};',
  'its own folder': "const file = 'services/orders/words.txt';",
};

for (const [name, source] of Object.entries(permitted)) {
  test(`permits ${name}`, async (t) => assert.deepEqual(await told(t, { [ORDERS]: source }), []));
}

test('two services may each have a table of one name', async (t) => {
  const table = "const sql = 'create table account (id text)';\nconst read = 'select * from account';";
  assert.deepEqual(await told(t, { [ORDERS]: table }), []);
});

test('what speaks to an outside company may do so in its own folder, and there only', async (t) => {
  const source = "import { Agent } from 'node:https';\nconst f = () => fetch('https://psp.example');";
  const pack = { 'services/payments/package.json': '{"name":"@souk/service-payments"}' };
  assert.deepEqual(await told(t, { ...pack, 'services/payments/src/provider/a.ts': source }), []);
  assert.equal((await told(t, { ...pack, 'services/payments/src/usecases/a.ts': source })).length, 2);
});

test('tests of a service may do all of it', async (t) => {
  const source = "import { request } from 'node:http';\nconst cache = new Cache();\nprocess.exit(1);";
  assert.deepEqual(await told(t, { 'services/orders/test/a.int.test.ts': source }), []);
});

test('a module of the platform that holds an object holds it for all services, and host is where objects are made', async (t) => {
  const source = 'export const registry = new Registry();';
  assert.equal((await told(t, { 'platform/saga/src/a.ts': source })).length, 1);
  assert.deepEqual(await told(t, { 'platform/host/src/a.ts': source }), []);
});

test('a collection that one module exports and another changes is found at the change', async (t) => {
  const holder = 'export const SEEN = new Set<string>();\nexport const RATES: Record<string, number> = {};\n';
  const changes = {
    'by a sibling': [
      USERS,
      "import { SEEN } from './held.ts';\nconst f = (id: string) => SEEN.add(id);",
      'services/users/src/held.ts',
    ],
    'by a sibling, a member': [
      USERS,
      "import { RATES } from './held.ts';\nconst f = () => { RATES.eur = 2; };",
      'services/users/src/held.ts',
    ],
    'by another package': [
      USERS,
      "import { SEEN } from '@souk/kernel';\nconst f = () => SEEN.clear();",
      'platform/kernel/src/held.ts',
    ],
  } as const;
  for (const [name, [path, source, at]] of Object.entries(changes)) {
    const found = await told(t, { [path]: source, [at]: holder });
    assert.equal(found.length, 1, name);
    assert.match(
      found[0] as string,
      /users\/src\/a\.ts:2 changes (SEEN|RATES), which \S+held\.ts holds for the whole process/,
    );
  }
  const reads = "import { RATES, SEEN } from './held.ts';\nconst f = () => SEEN.has('x') && RATES.eur === 2;";
  assert.deepEqual(await told(t, { [USERS]: reads, 'services/users/src/held.ts': holder }), []);
});

/** One of the good files, changed. */
const changed = (
  path: string,
  ...changes: readonly (readonly [from: string, to: string])[]
): Record<string, string> => {
  let source = good[path] as string;
  for (const [from, to] of changes) {
    assert.ok(source.includes(from), from);
    source = source.replace(from, to);
  }
  return { [path]: source };
};
const users = (...changes: readonly (readonly [string, string])[]) =>
  changed('services/users/src/service.ts', ...changes);
const orders = (...changes: readonly (readonly [string, string])[]) =>
  changed('services/orders/src/service.ts', ...changes);
const IMPORT = "import { calls } from './deps.ts';";

const misfits: Readonly<Record<string, readonly [files: Record<string, string>, told: RegExp]>> = {
  'a contract that is called and not served': [
    users(['serves: [UserService]', 'serves: []']),
    /^services\/orders\/src\/deps\.ts:\d+ UserService is called and no service serves it/,
  ],
  'an event that is heard and not published': [
    users(
      ['publishes: [UserDeletedSchema]', 'publishes: []'],
      ['deps.events.publish(tx, UserDeletedSchema, {})', 'tx'],
    ),
    /^services\/orders\/src\/service\.ts:\d+ UserDeletedSchema is heard and no service publishes it/,
  ],
  'an event of the same name and another contract': [
    orders(['@souk/contracts/users/v1/events', '@souk/contracts/users/v2/events']),
    /UserDeletedSchema is heard and no service publishes it/,
  ],
  'an event that is published and not declared': [
    orders(['const publishes = [OrderPlacedSchema]', 'const publishes = []']),
    /OrderPlacedSchema is published and not declared/,
  ],
  'an event that is declared and never published': [
    users(['deps.events.publish(tx, UserDeletedSchema, {})', 'tx']),
    /UserDeletedSchema is declared and never published/,
  ],
  'a contract that two services serve': [
    orders(
      [IMPORT, `${IMPORT}\nimport { UserService } from '@souk/contracts/users/v1/users';`],
      ['serves: []', 'serves: [UserService]'],
    ),
    /^services\/users\/src\/service\.ts:\d+ UserService is served by services\/orders\/src\/service\.ts too/,
  ],
  'a declaration that cannot be read': [orders(['serves: []', 'serves: contractsOf(1)']), /serves cannot be read here/],
  'a contract that is imported under another name': [
    users(['{ UserService }', '{ UserService as Users }'], ['[UserService]', '[Users]']),
    /Users is not imported under this name here/,
  ],
};

for (const [name, [files, want]] of Object.entries(misfits)) {
  test(`finds ${name}`, async (t) => assert.match((await told(t, files)).join('\n'), want));
}
