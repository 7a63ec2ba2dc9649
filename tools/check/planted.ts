// For tests of the rules: a small repository in a temporary folder.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Rule, Violation } from './rule.ts';
import { readTree } from './tree.ts';

const modules = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'node_modules');

const manifest = (name: string, more: object = {}): string => JSON.stringify({ name, ...more });

/** A repository with every kind of package that keeps all rules. */
export const clean: Readonly<Record<string, string>> = {
  'package.json': manifest('root', { devDependencies: { 'fast-check': '1' } }),
  'package-lock.json': '{"packages":{"node_modules/a":{"version":"1.0.0","license":"(MIT OR GPL-3.0)"}}}',
  'contracts/package.json': manifest('@souk/contracts'),
  'contracts/README.md': '# contracts\n',
  ...pack('platform/kernel', '@souk/kernel'),
  ...pack('platform/config', '@souk/config', ['@souk/kernel']),
  ...pack('platform/store', '@souk/store', ['@souk/kernel']),
  ...pack('platform/saga', '@souk/saga', ['@souk/kernel', '@souk/store']),
  ...pack('platform/host', '@souk/host', ['@souk/kernel']),
  ...pack('platform/testkit', '@souk/testkit', ['@souk/kernel']),
  ...pack('adapters/postgres', '@souk/adapter-postgres', ['@souk/kernel', '@souk/store', 'pg', 'other']),
  ...pack('services/orders', '@souk/service-orders', ['@souk/kernel', '@souk/contracts', '@souk/saga', '@souk/host']),
  ...pack('services/users', '@souk/service-users', ['@souk/kernel']),
  ...pack('apps/souk', '@souk/app-souk', [
    '@souk/service-orders',
    '@souk/adapter-postgres',
    '@souk/app-payment-provider',
  ]),
  ...pack('apps/payment-provider', '@souk/app-payment-provider', ['@souk/kernel']),
};

function pack(dir: string, name: string, needs: readonly string[] = []): Record<string, string> {
  return {
    [`${dir}/package.json`]: manifest(name, { dependencies: Object.fromEntries(needs.map((need) => [need, '1'])) }),
    [`${dir}/README.md`]: `# ${name}\n`,
    [`${dir}/src/index.ts`]: 'export const here = true;\n',
  };
}

/** Writes the files, on top of {@link clean}, and returns the folder. It is removed when the test ends. */
export function plant(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'souk-check-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries({ ...clean, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  symlinkSync(modules, join(root, 'node_modules'));
  return root;
}

/** What the rule says about the clean repository with these files added. */
export const check = async (
  t: TestContext,
  rule: Rule,
  files: Readonly<Record<string, string>>,
): Promise<readonly Violation[]> => rule.run(readTree(plant(t, files)));

/** The same as lines of `path:line message`. */
export const says = async (t: TestContext, rule: Rule, files: Readonly<Record<string, string>>): Promise<string[]> =>
  (await check(t, rule, files)).map(({ path, line, message }) => `${path}:${line} ${message}`);
