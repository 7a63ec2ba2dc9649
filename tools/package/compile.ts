// Compiles staged modules once for `import` and once for `require`.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../check/command.ts';
import { isRelative } from '../check/tree.ts';
import { PackageProblem } from './problem.ts';
import { rewriteImports } from './stage.ts';

export interface Compilation {
  /** Where the compiler and the types of Node.js are installed. */
  readonly root: string;
  /** What `stage` made. */
  readonly source: string;
  readonly out: string;
  readonly format: 'module' | 'commonjs';
  readonly target: string;
}

/** @throws PackageProblem with what the compiler said */
export async function compile({ root, source, out, format, target }: Compilation): Promise<void> {
  mkdirSync(out, { recursive: true });
  // What is next to the sources says what they become, and what is next to the result says what it is.
  for (const folder of [source, out])
    writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ type: format })}\n`);
  const config = {
    compilerOptions: {
      ...{ target, lib: [target], module: 'nodenext', rootDir: source, outDir: out },
      ...{ types: ['node'], typeRoots: [join(root, 'node_modules', '@types')], skipLibCheck: true },
      ...{ declaration: true, rewriteRelativeImportExtensions: true, isolatedModules: true },
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    },
    include: [`${source}/**/*.ts`],
  };
  const project = join(source, 'tsconfig.json');
  writeFileSync(project, JSON.stringify(config));
  const { status, stdout, stderr } = await run(root, 'tsc', ['-p', project, '--pretty', 'false']);
  if (status !== 0) throw new PackageProblem(`it does not compile for ${target}:\n${stdout}${stderr}`);
  for (const path of readdirSync(out, { recursive: true, encoding: 'utf8' }))
    if (path.endsWith('.d.ts')) namesCompiled(join(out, path));
}

/** The compiler leaves the endings in declarations as they were, and leaves them out of some for CommonJS. */
function namesCompiled(path: string): void {
  const text = rewriteImports(readFileSync(path, 'utf8'), ({ specifier }) =>
    isRelative(specifier) ? specifier.replace(/(\.ts|(?<!\.[jt]s))$/, '.js') : specifier,
  );
  writeFileSync(path, text);
}
