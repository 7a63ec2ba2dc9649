// Puts the modules that a package is made of into one folder, so that they import nothing but each other and Node.js.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { findImports, type Import } from '../check/imports.ts';
import { codeOnly } from '../check/scanner.ts';
import { isBuiltin, isRelative } from '../check/tree.ts';
import { PackageProblem } from './problem.ts';

const KERNEL = '@souk/kernel';

export interface Staging {
  /** `platform/resilience` and `platform/kernel` below here. */
  readonly root: string;
  /** `resilience` */
  readonly name: string;
  /** Names of the kernel that the package exports as well. */
  readonly kernelNames: readonly string[];
  /** Gets the package's modules, and the kernel's under `kernel/`. */
  readonly folder: string;
}

/** @throws PackageProblem when a module imports what the package cannot take along */
export function stage({ root, name, kernelNames, folder }: Staging): void {
  const source = join(root, 'platform', name, 'src');
  const kernelSource = join(root, 'platform', 'kernel', 'src');
  if (existsSync(join(source, 'kernel')))
    throw new PackageProblem(`platform/${name}/src/kernel is where the kernel goes`);
  const kernel = exportsOf(join(kernelSource, 'index.ts'));
  const own = new Set([...exportsOf(join(source, 'index.ts')).keys()]);
  const extra = kernelNames.filter((one) => !own.has(one));
  const needed = new Set(kernelNames);

  for (const path of closure(source, ['index.ts'])) {
    const where = `platform/${name}/src/${path}`;
    const toKernel = ensureDot(posix.relative(posix.dirname(path), 'kernel/index.ts'));
    const text = rewriteImports(readFileSync(join(source, path), 'utf8'), (one) => {
      if (isRelative(one.specifier) || isBuiltin(one.specifier)) return one.specifier;
      if (one.specifier !== KERNEL)
        throw new PackageProblem(`${where} imports ${one.specifier}: only ${KERNEL} can come along`);
      if (one.names.length === 0) throw new PackageProblem(`${where} imports all of ${KERNEL}: name what it needs`);
      for (const imported of one.names) needed.add(imported);
      return toKernel;
    });
    const more = path === 'index.ts' && extra.length > 0 ? `${reexport(extra, kernel, './kernel/index.ts')}\n` : '';
    write(join(folder, path), text + more);
  }

  const files = new Map<string, string[]>();
  for (const one of needed) {
    const { from } = kernelExport(kernel, one);
    files.set(from, [...(files.get(from) ?? []), one]);
  }
  const index = [...files].map(([from, names]) => reexport(names, kernel, from));
  write(join(folder, 'kernel', 'index.ts'), `${index.join('\n')}\n`);
  const entries = [...files.keys()].map((from) => posix.normalize(from));
  for (const path of closure(kernelSource, entries))
    write(join(folder, 'kernel', path), readFileSync(join(kernelSource, path), 'utf8'));
}

/** Replaces the specifier of each import and export. */
export function rewriteImports(source: string, to: (one: Import) => string): string {
  let out = '';
  let at = 0;
  for (const one of findImports(source, codeOnly(source))) {
    const start = source.indexOf(one.specifier, source.slice(one.offset).search(/['"`]/) + one.offset);
    out += source.slice(at, start) + to(one);
    at = start + one.specifier.length;
  }
  return out + source.slice(at);
}

/** The modules that the entries reach by relative imports, with themselves. Paths are relative to the folder. */
function closure(folder: string, entries: readonly string[]): string[] {
  const found = new Set(entries);
  for (const path of found) {
    const source = readFileSync(join(folder, path), 'utf8');
    for (const { specifier } of findImports(source, codeOnly(source)))
      if (isRelative(specifier)) found.add(posix.join(posix.dirname(path), specifier));
  }
  return [...found];
}

interface Exported {
  readonly from: string;
  readonly isType: boolean;
}

/** What an index exports by name, and from where. */
function exportsOf(index: string): Map<string, Exported> {
  const found = new Map<string, Exported>();
  const source = readFileSync(index, 'utf8');
  for (const { specifier: from, offset, kind } of findImports(source, codeOnly(source))) {
    const braces = /^[^'"]*?\{([^{}]*)\}/.exec(source.slice(offset))?.[1] ?? '';
    for (const part of braces.split(',').map((one) => one.trim())) {
      const name = part.replace(/^type\s+/, '').replace(/^.*\sas\s+/, '');
      if (name !== '') found.set(name, { from, isType: kind === 'type' || part.startsWith('type ') });
    }
  }
  return found;
}

function kernelExport(kernel: ReadonlyMap<string, Exported>, name: string): Exported {
  const found = kernel.get(name);
  if (found === undefined) throw new PackageProblem(`${KERNEL} exports no ${name}: see tools/package/recipes.ts`);
  return found;
}

function reexport(names: readonly string[], kernel: ReadonlyMap<string, Exported>, from: string): string {
  const list = names.map((name) => (kernelExport(kernel, name).isType ? `type ${name}` : name));
  return `export { ${list.join(', ')} } from '${from}';`;
}

const ensureDot = (path: string): string => (path.startsWith('.') ? path : `./${path}`);

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
