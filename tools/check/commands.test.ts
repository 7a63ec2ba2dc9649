import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from './command.ts';
import { biome, types } from './compilers.ts';
import { baseline, contractsBreaking, contractsGenerated, contractsLint, openApi } from './contracts.ts';
import { plant } from './planted.ts';
import type { Rule } from './rule.ts';
import { readTree } from './tree.ts';

const at = async (rule: Rule, root: string) =>
  (await rule.run(readTree(root))).map(({ path, line, message }) => `${path}:${line} ${message}`);

const compiler = JSON.stringify({
  compilerOptions: { strict: true, noEmit: true, module: 'nodenext', types: [] },
  include: ['platform'],
});

test('types reports what the compiler finds', async (t) => {
  const good = plant(t, { 'tsconfig.json': compiler });
  assert.deepEqual(await at(types, good), []);
  const bad = plant(t, { 'tsconfig.json': compiler, 'platform/store/src/a.ts': '\nexport const a: number = "x";\n' });
  assert.match((await at(types, bad)).join(), /^platform\/store\/src\/a\.ts:2 TS2322: /);
});

test('types reports a compiler that cannot run', async (t) => {
  assert.match((await at(types, plant(t, {}))).join(), /^tsconfig\.json:0 tsc ended with/);
});

test('biome reports lint and format', async (t) => {
  const settings = {
    'biome.json': '{ "files": { "includes": ["platform/**/*.ts"] }, "json": { "formatter": { "enabled": false } } }',
  };
  assert.deepEqual(await at(biome, plant(t, settings)), []);
  const bad = plant(t, {
    ...settings,
    'platform/store/src/a.ts': 'export const a = 1;\ndebugger;\n',
    'platform/store/src/b.ts': 'export   const b = 1;\n',
  });
  const found = await at(biome, bad);
  assert.ok(
    found.some((line) => /^platform\/store\/src\/a\.ts:2 lint\/suspicious\/noDebugger/.test(line)),
    found.join('\n'),
  );
  assert.ok(
    found.some((line) => line.startsWith('platform/store/src/b.ts:1 format')),
    found.join('\n'),
  );
});

const proto = (fields: string, comment = '// A pot.') =>
  `syntax = "proto3";\n\npackage shop.v1;\n\n${comment}\nmessage Pot {\n${fields}\n}\n`;
const contracts = (text: string) => ({
  'buf.yaml':
    'version: v2\nmodules:\n  - path: contracts/proto\nlint:\n  use: [STANDARD, COMMENT_MESSAGE]\nbreaking:\n  use: [WIRE_JSON]\n',
  'buf.gen.yaml':
    'version: v2\ninputs:\n  - directory: contracts/proto\nplugins:\n  - local: [node, node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es]\n    out: contracts/gen\n    opt: [target=js+dts]\n',
  'contracts/proto/shop/v1/pot.proto': text,
});
const good = proto('  string id = 1;');

test('contracts-lint reports a contract that is not well made', async (t) => {
  assert.deepEqual(await at(contractsLint, plant(t, contracts(good))), []);
  const found = await at(contractsLint, plant(t, contracts(proto('  string theId = 1;', ''))));
  assert.ok(
    found.some((line) => /^contracts\/proto\/shop\/v1\/pot\.proto:7 FIELD_LOWER_SNAKE_CASE/.test(line)),
    found.join('\n'),
  );
  assert.ok(
    found.some((line) => line.includes('COMMENT_MESSAGE')),
    found.join('\n'),
  );
});

test('contracts-breaking wants a baseline, permits an addition, reports a break; a release refuses it too', async (t) => {
  const root = plant(t, contracts(good));
  const release = (...args: string[]) =>
    run(root, process.execPath, [join(import.meta.dirname, '..', 'release-contracts.ts'), ...args]);
  assert.match((await at(contractsBreaking, root)).join(), /baseline\.binpb:0 is missing/);
  assert.equal((await release()).status, 0);
  assert.deepEqual(await at(contractsBreaking, root), []);

  const added = plant(t, contracts(proto('  string id = 1;\n  string name = 2;')));
  cpSync(join(root, baseline), join(added, baseline));
  assert.deepEqual(await at(contractsBreaking, added), []);

  const broken = plant(t, contracts(proto('  int64 id = 1;')));
  cpSync(join(root, baseline), join(broken, baseline));
  assert.match((await at(contractsBreaking, broken)).join(), /^contracts\/proto\/shop\/v1\/pot\.proto:7 FIELD_/);
  const script = join(import.meta.dirname, '..', 'release-contracts.ts');
  assert.equal((await run(broken, process.execPath, [script])).status, 1);
  assert.equal((await run(broken, process.execPath, [script, '--allow-breaking'])).status, 0);
  assert.deepEqual(await at(contractsBreaking, broken), []);
});

test('contracts-generated reports code that is missing, old, or from no contract', async (t) => {
  const root = plant(t, contracts(good));
  assert.match((await at(contractsGenerated, root)).join(), /gen\/shop\/v1\/pot_pb\.js:0 is missing/);
  assert.equal((await run(root, 'buf', ['generate'])).status, 0);
  assert.deepEqual(await at(contractsGenerated, root), []);
  const changed = plant(t, {
    ...contracts(proto('  string id = 1;\n  string name = 2;')),
    'contracts/gen/old_pb.js': '',
  });
  cpSync(join(root, 'contracts/gen'), join(changed, 'contracts/gen'), { recursive: true });
  const found = await at(contractsGenerated, changed);
  assert.ok(
    found.some((line) => line.includes('pot_pb.js:0 is older than its contract')),
    found.join('\n'),
  );
  assert.ok(
    found.some((line) => line.includes('old_pb.js:0 comes from no contract')),
    found.join('\n'),
  );
});

test('openapi asks the generator', async (t) => {
  const asks = (exit: number) =>
    plant(t, { 'tools/openapi/main.ts': `console.error('differs'); process.exitCode = ${exit};` });
  assert.deepEqual(await at(openApi, asks(0)), []);
  assert.match((await at(openApi, asks(1))).join(), /run npm run generate \(differs\)/);
  assert.match((await at(openApi, plant(t, {}))).join(), /openapi\/main\.ts:0 is missing/);
});
