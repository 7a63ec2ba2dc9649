import assert from 'node:assert/strict';
import { stripTypeScriptTypes } from 'node:module';
import { test } from 'node:test';
import { readPages, samplesOf } from './pages.ts';

const guides = readPages().filter(({ path }) => path.startsWith('docs/how-to/'));
const samples = guides.flatMap(({ path, text }) => samplesOf(text, 'ts').map((code) => ({ path, code })));

/** Whole modules; what is cut out of a file, such as a property or a chained call, cannot be parsed alone. */
const modules = samples.filter(({ code }) => /^(import|export) /m.test(code) && !/^\s*\/\/ …/m.test(code));

test('the guides have samples', () => assert.ok(modules.length > 10));

test('every sample that is a whole module can be parsed', () => {
  const broken = modules.flatMap(({ path, code }) => {
    try {
      stripTypeScriptTypes(code);
      return [];
    } catch (error) {
      return [`${path}: ${(error as Error).message}\n${code.slice(0, 100)}`];
    }
  });
  assert.deepEqual(broken, []);
});

test('what samples import from the platform is there', async () => {
  const missing: string[] = [];
  for (const { path, code } of samples) {
    // Contracts of an example are not there; types leave no trace at run time.
    for (const [, names = '', specifier = ''] of code.matchAll(
      /^import \{([^}]*)\} from '(@souk\/(?!contracts|service-)[^']+)';/gm,
    )) {
      const exported = (await import(specifier)) as Record<string, unknown>;
      const values = names.split(',').map((name) => name.trim());
      const gone = values.filter((name) => name !== '' && !name.startsWith('type ') && !(name in exported));
      missing.push(...gone.map((name) => `${path}: ${name} of ${specifier}`));
    }
  }
  assert.deepEqual(missing, []);
});
