import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';

const BIN = join(import.meta.dirname, '..', 'bin', 'souk.js');

async function souk(args: readonly string[], onStart: (child: ReturnType<typeof spawn>) => void = () => {}) {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  onStart(child);
  const [code] = await once(child, 'close');
  return { code, out, err };
}

test('a reader that goes away is no failure', async () => {
  const { code, err } = await souk(['config', '--explain'], (child) => child.stdout?.destroy());
  assert.deepEqual([code, err], [0, '']);
});

test('a command line that is not understood ends with 2 and a sentence, without a stack', async () => {
  for (const args of [['nope'], ['order', '--nope'], ['config', 'stray']]) {
    const { code, out, err } = await souk(args);
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, /^souk: .*--help.*\n$/);
  }
});

test('help is there for everything', async () => {
  const { code, out } = await souk(['--help']);
  assert.equal(code, 0);
  for (const command of ['up', 'order', 'status', 'saga', 'dlq', 'projection', 'seed', 'config']) {
    assert.match(out, new RegExp(`^  ${command} `, 'm'));
    const help = await souk([command, '--help']);
    assert.deepEqual([help.code, help.err], [0, '']);
    assert.match(help.out, new RegExp(`Usage: souk ${command}`));
  }
});
