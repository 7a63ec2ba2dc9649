// Makes a package that stands alone out of one of the platform's, as a tarball for a registry.

import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../check/command.ts';
import { compile } from './compile.ts';
import { PackageProblem } from './problem.ts';
import { type Recipe, recipes } from './recipes.ts';
import { stage } from './stage.ts';

interface SourceManifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
}

/**
 * @param root The repository.
 * @param name The folder below `platform`.
 * @param out Where the tarball goes; made when it is missing.
 * @returns the path of the tarball
 * @throws PackageProblem
 */
export async function pack(root: string, name: string, out: string): Promise<string> {
  const recipe = Object.hasOwn(recipes, name) ? recipes[name] : undefined;
  if (recipe === undefined)
    throw new PackageProblem(`no recipe for ${name}; there are: ${Object.keys(recipes).join(', ')}`);
  const source = join(root, 'platform', name);
  const readme = join(source, 'README.md');
  if (!existsSync(readme)) throw new PackageProblem(`platform/${name}/README.md is missing: a package has one`);

  const folder = mkdtempSync(join(tmpdir(), 'souk-package-'));
  try {
    const staged = join(folder, 'staged');
    const made = join(folder, 'package');
    stage({ root, name, kernelNames: recipe.kernelNames, folder: staged });
    for (const [format, below] of [['module', 'esm'] as const, ['commonjs', 'cjs'] as const])
      await compile({ root, source: staged, out: join(made, 'dist', below), format, target: recipe.target });
    const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as SourceManifest;
    writeFileSync(join(made, 'package.json'), `${JSON.stringify(published(manifest, recipe), null, 2)}\n`);
    // Inside the repository users take these names from the kernel; here the package has them itself.
    const text = readFileSync(readme, 'utf8').replaceAll(/(from\s+['"])@souk\/kernel(?=['"])/g, `$1${manifest.name}`);
    writeFileSync(join(made, 'README.md'), text);
    cpSync(join(root, 'LICENSE'), join(made, 'LICENSE'));
    return await tarball(made, out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const published = ({ name, version, description, license }: SourceManifest, recipe: Recipe) => ({
  ...{ name, version, description, license },
  type: 'module',
  sideEffects: false,
  engines: { node: recipe.node },
  main: './dist/cjs/index.js',
  types: './dist/cjs/index.d.ts',
  exports: {
    '.': {
      import: { types: './dist/esm/index.d.ts', default: './dist/esm/index.js' },
      require: { types: './dist/cjs/index.d.ts', default: './dist/cjs/index.js' },
    },
    './package.json': './package.json',
  },
  files: ['dist'],
});

async function tarball(folder: string, out: string): Promise<string> {
  mkdirSync(out, { recursive: true });
  const args = ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', out];
  const { status, stdout, stderr } = await run(folder, 'npm', args);
  if (status !== 0) throw new PackageProblem(`npm pack ended with ${status}:\n${stderr}${stdout}`);
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  return join(out, packed?.filename ?? '');
}
