import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { test } from 'node:test';
import { anchorsOf, codePathsOf, examplesOf, linksOf, readPages, root } from './pages.ts';

const pages = readPages();

test('every relative link leads to a file, and every anchor to a heading', () => {
  const broken = pages.flatMap(({ path, text }) =>
    linksOf(text).flatMap((link) => {
      const [target = '', anchor] = link.split('#');
      const file = target === '' ? path : posix.join(posix.dirname(path), target);
      if (!existsSync(join(root, file))) return [`${path}: ${link}`];
      if (anchor === undefined || !file.endsWith('.md')) return [];
      return anchorsOf(readFileSync(join(root, file), 'utf8')).includes(anchor) ? [] : [`${path}: ${link}`];
    }),
  );
  assert.deepEqual(broken, []);
});

test('every path in backticks exists', () => {
  const missing = pages.flatMap(({ path, text }) => {
    const examples = examplesOf(text);
    const inPackage = !path.startsWith('docs/');
    return codePathsOf(text)
      .filter((code) => inPackage || !/^(src|test)\//.test(code))
      .filter((code) => !examples.some((example) => code === example || code.startsWith(`${example}/`)))
      .filter((code) => !existsSync(join(root, /^(src|test)\//.test(code) ? dirname(path) : '', code)))
      .map((code) => `${path}: ${code}`);
  });
  assert.deepEqual(missing, []);
});

test('a page of the index is linked from it', () => {
  const index = pages.find(({ path }) => path === 'docs/README.md')?.text ?? '';
  const linked = new Set(linksOf(index).map((link) => posix.join('docs', link)));
  const wanted = pages.map(({ path }) => path).filter((path) => /^docs\/(?!README|decisions\/)/.test(path));
  assert.deepEqual(
    wanted.filter((path) => !linked.has(path)),
    [],
  );
});

test('links, anchors, paths and examples are found where they are, and not in code', () => {
  const text = [
    '# How, then? `now`',
    '<!-- example paths: services/x -->',
    '[a](b.md#c) ![i](i.png) [w](https://w) `platform/kernel/src/index.ts` `services/*/domain` `npm test` `src/a.ts`',
    '```ts',
    '[no](no.md) `platform/no`',
    '```',
  ].join('\n');
  assert.deepEqual(linksOf(text), ['b.md#c']);
  assert.deepEqual(codePathsOf(text), ['platform/kernel/src/index.ts', 'src/a.ts']);
  assert.deepEqual(examplesOf(text), ['services/x']);
  assert.deepEqual(anchorsOf(text), ['how-then-now']);
});
