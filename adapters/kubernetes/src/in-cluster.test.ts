import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inCluster } from './in-cluster.ts';

const folder = await mkdtemp(join(tmpdir(), 'souk-account-'));
after(() => rm(folder, { recursive: true }));

test('outside of a cluster the file that is missing is named', () => {
  assert.throws(() => inCluster(join(folder, 'none')), {
    reason: 'KUBERNETES_NOT_IN_CLUSTER',
    message: /none\/token.*ENOENT/,
  });
});

test('what the service account says is taken, and the token is read again each time', async () => {
  await writeFile(join(folder, 'token'), 'first\n');
  await writeFile(join(folder, 'ca.crt'), 'PEM\n');
  await writeFile(join(folder, 'namespace'), 'shop');
  const { apiUrl, ca, namespace, token } = inCluster(folder);
  assert.deepEqual([apiUrl, ca, namespace, token()], ['https://kubernetes.default.svc', 'PEM', 'shop', 'first']);
  await writeFile(join(folder, 'token'), 'second');
  assert.equal(token(), 'second');
});
