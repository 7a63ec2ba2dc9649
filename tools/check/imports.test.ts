import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findImports } from './imports.ts';
import { codeOnly } from './scanner.ts';

const find = (source: string) =>
  findImports(source, codeOnly(source)).map(({ specifier, kind }) => `${kind} ${specifier}`);

const cases: readonly [source: string, ...found: string[]][] = [
  ["import a from 'a';", 'value a'],
  ["import a, { b } from 'a';", 'value a'],
  ["import * as a from 'a';", 'value a'],
  ["import 'a';", 'value a'],
  ["import { a,\n  type B,\n} from './a.ts';", 'value ./a.ts'],
  ["import type { A } from 'a';", 'type a'],
  ["import type A from 'a';", 'type a'],
  ["import{a}from'a';", 'value a'],
  ["import data from './a.json' with { type: 'json' };", 'value ./a.json'],
  ["export { a } from 'a';", 'value a'],
  ["export type { A } from 'a';", 'type a'],
  ["export * from 'a';", 'value a'],
  ["export * as a from 'a';", 'value a'],
  ["const a = await import('a');", 'dynamic a'],
  ["const a = require('a');", 'dynamic a'],
  ["type A = typeof import('a');", 'type a'],
  ['import { a } from "a";', 'value a'],
  ["import type from 'a';", 'value a'],
];

for (const [source, ...found] of cases) {
  test(`finds ${found.join()} in: ${source.replace(/\s+/g, ' ')}`, () => assert.deepEqual(find(source), found));
}

for (const source of [
  "// import a from 'a';",
  "const text = `import a from 'a'`;",
  'const a = import.meta.url;',
  "x.import('a');",
  'await import(name);',
  'await import(`./${name}.ts`);',
  "const from = 'a';",
  'export const a = 1;',
]) {
  test(`finds nothing in: ${source}`, () => assert.deepEqual(find(source), []));
}

test('finds all in order, with the names', () => {
  const source = "import { a as b, type C } from 'x';\nimport 'y';\nexport { d } from 'z';\n";
  const found = findImports(source, codeOnly(source));
  assert.deepEqual(
    found.map(({ specifier }) => specifier),
    ['x', 'y', 'z'],
  );
  assert.deepEqual(
    found.map(({ names }) => names),
    [['a', 'C'], [], ['d']],
  );
});
