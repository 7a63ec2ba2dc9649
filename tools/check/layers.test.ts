import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layers } from './layers.ts';
import { check, says } from './planted.ts';

test('the clean repository keeps the layers', async (t) => {
  assert.deepEqual(await says(t, layers, {}), []);
});

const forbidden: Record<string, readonly [path: string, source: string, told: RegExp]> = {
  'a package of the same rank': ['platform/config/src/a.ts', "import { x } from '@souk/config';", /very package/],
  'a package of a higher rank': [
    'platform/store/src/a.ts',
    "import { x } from '@souk/saga';",
    /has rank 4, this package 2/,
  ],
  'anything of ours in the kernel': [
    'platform/kernel/src/a.ts',
    "import { x } from '@souk/config';",
    /has rank 1, this package 0/,
  ],
  'contracts in the platform': [
    'platform/store/src/a.ts',
    "import { x } from '@souk/contracts';",
    /only services and apps know/,
  ],
  'contracts in a platform test': [
    'platform/store/src/a.test.ts',
    "import { x } from '@souk/contracts';",
    /platform knows no contract/,
  ],
  'an adapter in the platform': [
    'platform/store/src/a.ts',
    "import { x } from '@souk/adapter-postgres';",
    /only apps choose adapters/,
  ],
  'an adapter in a platform test': [
    'platform/store/src/a.test.ts',
    "import { x } from '@souk/adapter-postgres';",
    /platform knows no/,
  ],
  'a package above the ports in an adapter': [
    'adapters/postgres/src/a.ts',
    "import { x } from '@souk/saga';",
    /adapter imports up to 3/,
  ],
  'an adapter in a service': [
    'services/orders/src/a.ts',
    "import { x } from '@souk/adapter-postgres';",
    /only apps choose adapters/,
  ],
  'another service': [
    'services/orders/src/a.ts',
    "import { x } from '@souk/service-users';",
    /no one imports a service/,
  ],
  'another service in a test': [
    'services/orders/src/a.test.ts',
    "import { x } from '@souk/service-users';",
    /together in tests/,
  ],
  'the host in a service': [
    'services/orders/src/a.ts',
    "import { x } from '@souk/host';",
    /service imports up to rank 5/,
  ],
  'an app': ['services/orders/src/a.ts', "import { x } from '@souk/app-souk';", /nothing imports an app/],
  'an app that may not be started': [
    'apps/payment-provider/src/a.ts',
    "import { x } from '@souk/app-souk';",
    /nothing imports an app/,
  ],
  'the testkit outside of tests': ['services/orders/src/a.ts', "import { x } from '@souk/testkit';", /is for tests/],
  'a conformance suite outside of tests': [
    'adapters/postgres/src/a.ts',
    "import { x } from '@souk/store/conformance';",
    /is for tests/,
  ],
  'a deep path': ['services/orders/src/a.ts', "import { x } from '@souk/kernel/src/x.ts';", /deep import/],
  'a deep path, for its type': [
    'services/orders/src/a.ts',
    "import type { X } from '@souk/kernel/src/x.ts';",
    /deep import/,
  ],
  'a relative path into another package': [
    'services/orders/src/a.ts',
    "import { x } from '../../users/src/x.ts';",
    /leaves services\/orders/,
  ],
  'the support of tests outside of a test': [
    'platform/store/src/a.ts',
    "import { x } from '../../../tests/support/database.ts';",
    /leaves platform\/store/,
  ],
  'other tests in a test': [
    'platform/store/src/a.test.ts',
    "import { x } from '../../../tests/e2e/shop.ts';",
    /leaves platform\/store/,
  ],
  'a service, dynamically': [
    'services/orders/src/a.ts',
    "await import('@souk/service-users');",
    /no one imports a service/,
  ],
  'a use case in the domain': ['services/orders/src/domain/a.ts', "import { x } from '../usecases/x.ts';", /siblings/],
  'a node module in the domain': [
    'services/orders/src/domain/a.ts',
    "import { x } from 'node:fs';",
    /domain code does no I\/O/,
  ],
  'a library in the domain': [
    'services/orders/src/domain/a.ts',
    "import { x } from '@souk/store';",
    /domain code does no I\/O/,
  ],
  'a service in a bench': ['bench/a.ts', "import { x } from '@souk/service-users';", /starts an app as its users do/],
  'a service in a tool': ['tools/a.ts', "import { x } from '@souk/service-users';", /tools know contracts/],
};

for (const [what, [path, source, told]] of Object.entries(forbidden)) {
  test(`forbids ${what}`, async (t) => {
    const found = await check(t, layers, { [path]: `// head\n${source}\n` });
    assert.equal(found.length, 1, JSON.stringify(found));
    assert.deepEqual([found[0]?.path, found[0]?.line], [path, 2]);
    assert.match(found[0]?.message ?? '', told);
  });
}

const permitted: Record<string, readonly [path: string, source: string]> = {
  'a lower rank': ['platform/saga/src/a.ts', "import { x } from '@souk/store';"],
  'the testkit in a test of a lower package': ['platform/store/src/a.test.ts', "import { x } from '@souk/testkit';"],
  'a conformance suite in a test': ['adapters/postgres/src/a.test.ts', "import { x } from '@souk/store/conformance';"],
  'contracts in a service': ['services/orders/src/a.ts', "import { x } from '@souk/contracts/orders/v1/orders';"],
  'everything in an app': [
    'apps/souk/src/a.ts',
    "import { x } from '@souk/service-orders';\nimport { y } from '@souk/adapter-postgres';",
  ],
  'the payment provider in an app': ['apps/souk/src/a.ts', "import { x } from '@souk/app-payment-provider';"],
  'apps in tests across services': ['tests/e2e/a.e2e.test.ts', "import { x } from '@souk/app-souk';"],
  'siblings, kernel and errors in the domain': [
    'services/orders/src/domain/a.ts',
    "import type { X } from '@souk/kernel';\nimport { y } from './y.ts';\nimport { z } from '../errors.ts';",
  ],
  'the support of all tests in a platform test': [
    'platform/store/src/a.int.test.ts',
    "import { x } from '../../../tests/support/database.ts';",
  ],
  'the support of all tests in a file that tests use': [
    'services/orders/test/world.ts',
    "import { x } from '../../../tests/support/database.ts';",
  ],
  'node modules in a test of the domain': ['services/orders/src/domain/a.test.ts', "import { test } from 'node:test';"],
};

for (const [what, [path, source]] of Object.entries(permitted)) {
  test(`permits ${what}`, async (t) => assert.deepEqual(await says(t, layers, { [path]: source }), []));
}

test('forbids a second vendor in an adapter, but not a second package of one vendor', async (t) => {
  const two = { 'adapters/postgres/src/a.ts': "import pg from 'pg';\nimport { x } from 'other';\n" };
  assert.match(
    (await says(t, layers, two)).join(),
    /adapters\/postgres\/src\/a\.ts:2 other is a second vendor beside pg/,
  );
  const scope = {
    'adapters/postgres/src/a.ts': "import a from '@v/a';\nimport b from '@v/b';\nimport c from '@v/a/sub';\n",
  };
  assert.deepEqual(await says(t, layers, scope), []);
});

test('reports a platform package without a rank', async (t) => {
  const found = await says(t, layers, { 'platform/novel/package.json': '{"name":"@souk/novel"}' });
  assert.match(found.join(), /platform\/novel\/package\.json:0 has no rank/);
});
