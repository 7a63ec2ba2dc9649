import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { codeOnly, depths, literalsOf } from './scanner.ts';

const hidden = 'SECRET';
const cases: Record<string, readonly [source: string, visible: readonly string[]]> = {
  'a line comment': [`a(); // ${hidden}\nb();`, ['a();', 'b();']],
  'a block comment over lines': [`a(); /* ${hidden}\n'${hidden} */ b();`, ['a();', 'b();']],
  'a string with an escaped quote': [`a('it\\'s ${hidden}'); b();`, ["a('", 'b();']],
  'a string that looks like a comment': [`a('// ${hidden}'); b();`, ['b();']],
  'a comment that holds a quote': [`// it's ${hidden}\nb();`, ['b();']],
  'template text, not its expressions': [`\`${hidden} \${call(x)} ${hidden}\`; b();`, ['call(x)', 'b();']],
  'a template in a template': ['`SECRET ${f(`SECRET ${g({ h: 1 })} SECRET`)} SECRET`; b();', ['g({ h: 1 })', 'b();']],
  'a regular expression with quotes': [`x.replace(/['"\`]${hidden}/g, y); b();`, ['y); b();']],
  'a slash in a class of a regular expression': [`x = /[/'${hidden}]/; b();`, ['b();']],
  'a regular expression after return': [`return /'${hidden}/.test(y); b();`, ['b();']],
  'a regular expression after an arrow': [`f(() => /'${hidden}/); b();`, ['b();']],
  'a shebang': [`#!/usr/bin/env ${hidden}\nb();`, ['b();']],
};

for (const [name, [source, visible]] of Object.entries(cases)) {
  test(`hides ${name}`, () => {
    const code = codeOnly(source);
    assert.equal(code.length, source.length);
    assert.ok(!code.includes(hidden), code);
    for (const part of visible) assert.ok(code.includes(part), `${part} is missing in ${code}`);
  });
}

test('literals are the insides of strings and whole templates, at their places', () => {
  const source = "// no 'comment'\na('one', /'no'/, `two ${b('three')} four`, ''); /* `no` */";
  const literals = literalsOf(source);
  assert.deepEqual(
    literals.map(({ text }) => text.replace(/\s+/g, ' ')),
    ['one', 'three', 'two three four', ''],
  );
  for (const { from, text } of literals.slice(0, 2)) assert.equal(source.slice(from, from + text.length), text);
  assert.equal(source.indexOf('two'), literals[2]?.from);
});

for (const source of [
  'a = b / c / d; e();',
  'a = (b) / 2; e("x".length / 2);',
  'a = b! / c; d = e! / f;',
  'i++ / 2; j / 3;',
  'a = x[0] / y[1] / 2;',
]) {
  test(`does not take division for a regular expression: ${source}`, () => {
    assert.equal(codeOnly(source), source.replace('"x"', '" "'));
  });
}

test('keeps length and line breaks of any text', () => {
  const piece = fc.constantFrom(
    '`',
    '${',
    '}',
    '{',
    "'",
    '"',
    '/',
    '*',
    '//',
    '/*',
    '*/',
    '\n',
    '\\',
    'a',
    ' ',
    '(',
    ')',
  );
  const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(text, (source) => {
      const code = codeOnly(source);
      const breaks = (of: string) => [...of.matchAll(/\n/g)].map(({ index }) => index).join();
      return code.length === source.length && breaks(code) === breaks(source);
    }),
    { numRuns: 500 },
  );
});

test('what is put into comments and strings never shows, what stands between them does', () => {
  const wrap = fc.constantFrom<(text: string) => string>(
    (text) => `/* ${text} */`,
    (text) => `// ${text}\n`,
    (text) => `f('${text}');`,
    (text) => `f("${text}");`,
    (text) => `f(\`${text}\${1 / 2}${text}\`);`,
    (text) => `f(/${text}/);`,
  );
  fc.assert(
    fc.property(fc.array(wrap, { maxLength: 12 }), (wraps) => {
      const code = codeOnly(wraps.map((one, i) => `${one(hidden)} visible${i};`).join('\n'));
      return !code.includes(hidden) && wraps.every((_, i) => code.includes(`visible${i};`));
    }),
    { numRuns: 300 },
  );
});

test('depth is 0 at the top level only', () => {
  const code = 'a; f(() => { b; }); c;';
  const depth = depths(code);
  assert.deepEqual(
    ['a;', 'b;', 'c;'].map((part) => depth[code.indexOf(part)]),
    [0, 2, 0],
  );
});
