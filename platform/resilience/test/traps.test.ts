import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const HOME = new URL('../', import.meta.url);
const rows = readFileSync(new URL('TRAPS.md', HOME), 'utf8').matchAll(/\| `([^`]+)` (.+) \|$/gm);

test('each trap that is listed has the test that is named', () => {
  let traps = 0;
  for (const [, file, name] of rows) {
    traps++;
    const source = readFileSync(new URL(file as string, HOME), 'utf8');
    assert.ok(source.includes(`test('${name}'`), `${file} has no test "${name}"`);
  }
  assert.equal(traps, 25);
});
