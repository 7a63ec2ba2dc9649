import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readLaunch, writePidFile } from './launcher.ts';

async function withFile(content: unknown, use: (path: string, folder: string) => Promise<void> | void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'souk-launcher-'));
  try {
    const path = join(folder, 'config.json');
    await writeFile(path, JSON.stringify(content));
    await use(path, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('without a word it listens where a development agent does', () => {
  const { httpHost, httpPort, dnsPort, folder } = readLaunch([]);
  assert.deepEqual([httpHost, httpPort, dnsPort, folder], ['127.0.0.1', 8500, 8600, undefined]);
});

test('the command line of an agent is understood, in each of its spellings', () =>
  withFile({ acl: { enabled: false }, enable_script_checks: true }, (config) => {
    const launch = readLaunch([
      ...['agent', '-node', 'node1', '--datacenter=dc2', '-bind', '127.0.0.2', '-client', '127.0.0.3'],
      ...['-bootstrap', '-server', '-config-file', config, '-data-dir', '/d', '-pid-file', '/p', '-bootstrap-expect=1'],
      '--registry.commit-delay=1ms',
    ]);
    assert.deepEqual(launch, {
      ...{ nodeName: 'node1', datacenter: 'dc2', advertise: '127.0.0.2', httpHost: '127.0.0.3', httpPort: 8500 },
      ...{ dnsPort: 8600, folder: '/d', pidFile: '/p', scriptChecks: true, settings: ['--registry.commit-delay=1ms'] },
    });
  }));

test('a file says the same, and the command line has the last word', () =>
  withFile({ node_name: 'a', bind_addr: '10.0.0.1', ports: { http: 1, dns: -1 }, data_dir: '/d' }, (config) => {
    const launch = readLaunch([`-config-file=${config}`, '-node=b']);
    assert.deepEqual(
      [launch.nodeName, launch.advertise, launch.httpPort, launch.dnsPort, launch.folder],
      ['b', '10.0.0.1', 1, undefined, '/d'],
    );
    assert.equal(readLaunch(['-dev', `-config-file=${config}`]).folder, undefined);
  }));

test('what it does not know it refuses', () => {
  for (const args of [['-nonsense'], ['stray'], ['-node'], ['-http-port=x'], ['-config-file=/nowhere.json']]) {
    assert.throws(() => readLaunch(args), { reason: 'REGISTRY_BAD_FLAG' }, args.join(' '));
  }
});

test('the file with the process id is made, with its folder', () =>
  withFile({}, async (_config, folder) => {
    const path = join(folder, 'deep', 'pid');
    writePidFile(path, 42);
    assert.equal(await readFile(path, 'utf8'), '42');
  }));
