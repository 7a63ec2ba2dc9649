import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, flag, integer, list, port, secret, text, url } from './kinds.ts';
import { loadSettings } from './load-settings.ts';

const describe = 'for the test';
const sections = {
  http: { port: port({ default: 8080, env: 'PORT', describe }), compress: flag({ default: true, describe }) },
  orders: {
    reservationTtl: duration({ default: '15m', describe }),
    databaseUrl: url({ optional: true, describe }),
    hosts: list({ default: ['a'], describe }),
  },
};
const file = (content: unknown) => ({ path: 'souk.json', text: JSON.stringify(content) });
const problemsOf = (load: () => unknown): string[] => {
  try {
    load();
  } catch (error) {
    const { reason, violations } = error as { reason: string; violations: Array<{ detail: string }> };
    assert.equal(reason, 'CONFIG_INVALID');
    return violations.map(({ detail }) => detail);
  }
  return [];
};

test('flags cover the environment, which covers the file, which covers defaults; each says its origin', () => {
  const all = {
    sections,
    file: file({ http: { port: 1 }, orders: { reservationTtl: '1m', hosts: ['b', 'c'] } }),
    env: { PORT: '2', ORDERS_RESERVATION_TTL: '2m', PATH: '/bin', HTTP_PROXY: 'http://proxy' },
    flags: ['--http.port=3', '--http.compress'],
  };
  const { values, effective, warnings } = loadSettings(all);
  assert.deepEqual(values, {
    http: { port: 3, compress: true },
    orders: { reservationTtl: 120_000, databaseUrl: undefined, hosts: ['b', 'c'] },
  });
  const origins = effective.map(({ name, value, origin }) => [name, value, origin]);
  assert.deepEqual(origins, [
    ['http.port', '3', 'flag --http.port'],
    ['http.compress', 'true', 'flag --http.compress'],
    ['orders.reservationTtl', '2m', 'environment ORDERS_RESERVATION_TTL'],
    ['orders.databaseUrl', undefined, 'not set'],
    ['orders.hosts', 'b,c', 'souk.json: orders.hosts'],
  ]);
  assert.deepEqual(warnings, []);
  assert.equal(effective[2]?.default, '15m');
  assert.ok(Object.isFrozen(values) && Object.isFrozen(values.orders));
});

test('a flag is understood in both spellings, with = or a space, and may be said once', () => {
  const ttl = (flags: string[]) => loadSettings({ sections, flags }).values.orders.reservationTtl;
  assert.equal(ttl(['--orders.reservation-ttl=10s']), 10_000);
  assert.equal(ttl(['--orders.reservationTtl', '10s']), 10_000);
  const twice = ['--orders.reservationTtl=1s', '--orders.reservation-ttl=2s'];
  assert.deepEqual(
    problemsOf(() => ttl(twice)),
    ['flag --orders.reservation-ttl is given twice'],
  );
  assert.equal(loadSettings({ sections, flags: ['--http.compress=false'] }).values.http.compress, false);
});

test('everything that is wrong is said at once, with its place and what is allowed', () => {
  const problems = problemsOf(() =>
    loadSettings({
      sections: { ...sections, mail: { from: text({ describe }) } },
      file: file({ http: { prot: 1 }, order: {}, orders: { reservationTtl: 5 }, mail: 'x' }),
      env: { PORT: 'http', SOUK_PORT_X: '1' },
      flags: ['--orders.reservation-tll=1s', 'hunter2', '--http.port'],
    }),
  );
  assert.deepEqual(problems, [
    'flag --orders.reservation-tll: no setting has this name, did you mean --orders.reservation-ttl?',
    'argument 2 is no flag: want --section.setting=value',
    'flag --http.port has no value: want a port from 0 to 65535',
    'environment SOUK_PORT_X: no setting has this name',
    'souk.json: there is no setting http.prot, did you mean http.port?',
    'souk.json: there is no section order, did you mean orders?',
    'souk.json: mail is a section: want an object of settings',
    "http.port: want a port from 0 to 65535, got 'http' (environment PORT)",
    'orders.reservationTtl: want a duration like 250ms, 10s or 15m, got 5 (souk.json: orders.reservationTtl)',
    'mail.from is required: set mail.from in the file, MAIL_FROM or --mail.from to text',
  ]);
});

test('a wrong value is an error also where a higher layer covers it', () => {
  const problems = problemsOf(() => loadSettings({ sections, env: { PORT: 'x' }, flags: ['--http.port=1'] }));
  assert.equal(problems.length, 1);
});

test('an empty variable counts as not set; an empty value in file or flag is refused', () => {
  assert.equal(loadSettings({ sections, env: { PORT: '' } }).values.http.port, 8080);
  assert.equal(problemsOf(() => loadSettings({ sections, flags: ['--http.port='] })).length, 1);
  assert.equal(problemsOf(() => loadSettings({ sections, file: file({ http: { port: '' } }) })).length, 1);
});

test('two names of one setting must agree', () => {
  assert.equal(loadSettings({ sections, env: { PORT: '1', HTTP_PORT: '1' } }).values.http.port, 1);
  assert.deepEqual(
    problemsOf(() => loadSettings({ sections, env: { PORT: '1', HTTP_PORT: '2' } })),
    ['http.port: HTTP_PORT and PORT say different things; set one of them'],
  );
});

test('a variable that nearly is a setting is a warning; what Kubernetes adds is not', () => {
  const env = {
    ORDERS_RESERVATION_TTI: '1m',
    ORDERS_SERVICE_HOST: '10.0.0.1',
    ORDERS_PORT_80_TCP: 'tcp://x',
    SOUK_SERVICE_HOST: 'x',
  };
  const { warnings } = loadSettings({ sections, env });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /ORDERS_RESERVATION_TTI.*did you mean ORDERS_RESERVATION_TTL\?/);
});

test('a variable that somebody else reads is no stranger', () => {
  assert.equal(
    loadSettings({ sections, env: { SOUK_CONFIG: 'x.json' }, knownEnv: ['SOUK_CONFIG'] }).warnings.length,
    0,
  );
  assert.equal(problemsOf(() => loadSettings({ sections, env: { SOUK_CONFIG: 'x.json' } })).length, 1);
});

test('a secret is in the values and nowhere else', () => {
  const shape = { admin: { password: secret({ env: 'SOUK_ADMIN_PASSWORD', minLength: 12, describe }) } };
  const good = loadSettings({ sections: shape, env: { SOUK_ADMIN_PASSWORD: 'correct-horse' } });
  assert.equal(good.values.admin.password, 'correct-horse');
  assert.doesNotMatch(JSON.stringify([good.effective, good.warnings]), /correct-horse/);
  const bad = problemsOf(() => loadSettings({ sections: shape, env: { SOUK_ADMIN_PASSWORD: 'hunter2' } }));
  assert.deepEqual(bad, [
    'admin.password: want a text of at least 12 characters, got something else (environment SOUK_ADMIN_PASSWORD)',
  ]);
});

test('a file that is not JSON is refused without quoting it', () => {
  for (const content of ['{"admin": hunter2}', '[]', '"x"', '']) {
    const problems = problemsOf(() => loadSettings({ sections, file: { path: 'souk.json', text: content } }));
    assert.equal(problems.length, 1, content);
    assert.doesNotMatch(problems[0] ?? '', /hunter2/);
  }
});

test('names like those of objects are unknown names, no more', () => {
  const problems = problemsOf(() =>
    loadSettings({
      sections,
      file: { path: 'f', text: '{"__proto__":{"a":1},"constructor":{},"http":{"toString":1}}' },
    }),
  );
  assert.equal(problems.length, 3);
});

test('settings that share a name are a mistake of the program', () => {
  const two = {
    a: { x: integer({ env: 'PORT', default: 1, describe }) },
    b: { x: integer({ env: 'PORT', default: 1, describe }) },
  };
  assert.throws(() => loadSettings({ sections: two }), { reason: 'CONFIG_DECLARATION' });
});
