import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { soukCommand } from '../support/shop.ts';
import { scratchFolder, startNode } from '../support/shop-process.ts';

// Its shop is one process whatever is set for tests: the demonstration reaches into it to break things.
test('the demonstration of resilience comes out right, says so, and leaves nothing behind', async () => {
  const [cwd, temporary] = [scratchFolder(), scratchFolder()];
  const running = startNode([soukCommand, 'demo', 'resilience', '--speed', '5'], { cwd, env: { TMPDIR: temporary } });
  const { code } = await running.exit;
  const said = running.stdout();
  assert.equal(code, 0, running.output());
  assert.equal(running.stderr(), '');
  assert.match(said, /breaker http:payment-provider: CLOSED → OPEN[\s\S]*Everything came out right/);
  for (const unwanted of ['✗', '\u001b']) assert.ok(!said.includes(unwanted), said);
  const claims = said.match(/✓ .*/g) ?? [];
  assert.equal(claims.length, 17, claims.join('\n'));
  assert.deepEqual([...readdirSync(cwd), ...readdirSync(temporary)], []);
});
