import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { hasReason } from '@souk/kernel';
import { canReach } from './account.ts';
import { prepareBinaries } from './binaries.ts';

let root: string;
let native: string;
const nobody = { uid: 65_534, gid: 65_534 };

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'souk-binaries-'));
  chmodSync(root, 0o755);
  native = join(root, 'package', 'native');
  for (const part of ['bin', 'lib', 'share']) mkdirSync(join(native, part), { recursive: true });
  writeFileSync(join(native, 'bin', 'postgres'), '', { mode: 0o755 });
  writeFileSync(join(native, 'lib', 'libpq.so.5.18'), 'library');
  writeFileSync(join(native, 'lib', 'libpq.a'), 'for compilers');
  writeLinks('native/lib/libpq.so.5.18', 'native/lib/libpq.so.5');
});
afterEach(() => rmSync(root, { recursive: true }));

const writeLinks = (source: string, target: string): void =>
  writeFileSync(join(native, 'pg-symlinks.json'), JSON.stringify([{ source, target }]));
const stage = (): string => join(root, 'stage');

test('missing links are made in place, relative, and only once', () => {
  assert.equal(prepareBinaries(native, stage(), undefined), native);
  assert.equal(readlinkSync(join(native, 'lib', 'libpq.so.5')), 'libpq.so.5.18');
  assert.equal(prepareBinaries(native, stage(), undefined), native);
  assert.equal(existsSync(stage()), false);
});

test('binaries that the account cannot read are copied so that it can', () => {
  chmodSync(join(root, 'package'), 0o700);
  chmodSync(join(native, 'lib', 'libpq.so.5.18'), 0o600);
  assert.equal(prepareBinaries(native, stage(), nobody), stage());
  assert.equal(readlinkSync(join(stage(), 'lib', 'libpq.so.5')), 'libpq.so.5.18');
  assert.equal(lstatSync(join(stage(), 'lib', 'libpq.so.5.18')).mode & 0o777, 0o644);
  assert.equal(lstatSync(join(stage(), 'bin', 'postgres')).mode & 0o777, 0o755);
  assert.deepEqual(readdirSync(root).sort(), ['package', 'stage']);
  assert.equal(existsSync(join(stage(), 'lib', 'libpq.a')), false);
});

test('a copy that is complete is used again', () => {
  chmodSync(join(root, 'package'), 0o700);
  prepareBinaries(native, stage(), nobody);
  writeFileSync(join(stage(), 'mark'), '');
  prepareBinaries(native, stage(), nobody);
  assert.ok(existsSync(join(stage(), 'mark')));
});

test('a link that leaves the package is refused', () => {
  for (const [source, target] of [
    ['native/../../secret', 'native/lib/a'],
    ['native/lib/libpq.so.5.18', '../a'],
    ['/etc/passwd', 'native/lib/a'],
  ] as const) {
    writeLinks(source, target);
    assert.throws(
      () => prepareBinaries(native, stage(), undefined),
      (error) => hasReason(error, 'EMBEDDED_POSTGRES_BUNDLE_INVALID'),
    );
  }
});

test('an account reaches what every folder above lets it through to', () => {
  const path = join(native, 'bin');
  assert.equal(canReach(nobody, path), true);
  chmodSync(join(root, 'package'), 0o700);
  assert.equal(canReach(nobody, path), false);
  chmodSync(join(root, 'package'), 0o711);
  assert.equal(canReach(nobody, path), true);
  assert.equal(canReach(undefined, path), true);
});
