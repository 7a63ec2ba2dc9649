// The repository as the rules see it: its files, its packages, and each module's code and imports.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { findImports, type Import } from './imports.ts';
import { codeOnly } from './scanner.ts';

export interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export interface Package {
  /** `platform/kernel`, or `contracts`. */
  readonly dir: string;
  /** The directory above: `platform`, `adapters`, `services`, `apps` or `contracts`. */
  readonly kind: string;
  readonly manifest: Manifest;
}

export interface Module {
  readonly path: string;
  readonly source: string;
  /** The source without comments and the insides of strings. */
  readonly code: string;
  readonly imports: readonly Import[];
  /** The package it is in; undefined in `tests` and `tools`. */
  readonly owner: Package | undefined;
  readonly isTest: boolean;
}

export interface Tree {
  readonly root: string;
  /** Every file that is ours, sorted. */
  readonly files: readonly string[];
  readonly packages: readonly Package[];
  readonly manifest: Manifest;
  /** The TypeScript and JavaScript modules, generated ones left out. */
  readonly modules: readonly Module[];
  readonly read: (path: string) => string;
  /** The package of this name. */
  readonly find: (name: string) => Package | undefined;
}

const skipped = new Set(['node_modules', '.git', '.souk', 'coverage']);
const kinds = ['platform', 'adapters', 'services', 'apps'];

export const isGenerated = (path: string): boolean => path.startsWith('contracts/gen/');
export const isTestFile = (path: string): boolean => /\.test\.ts$|(^|\/)tests?\//.test(path);
const isModule = (path: string): boolean =>
  /\.(ts|js|mjs)$/.test(path) && !path.endsWith('.d.ts') && !isGenerated(path);

export function readTree(root: string): Tree {
  const files = list(root, '').sort();
  const texts = new Map<string, string>();
  const read = (path: string): string => {
    const text = texts.get(path) ?? readFileSync(join(root, path), 'utf8');
    texts.set(path, text);
    return text;
  };
  const packages = files
    .filter((path) => path.endsWith('/package.json'))
    .map((path) => ({
      dir: dirname(path),
      kind: path.split('/')[0] as string,
      manifest: JSON.parse(read(path)) as Manifest,
    }))
    .filter(({ dir, kind }) => dir === 'contracts' || (kinds.includes(kind) && dir.split('/').length === 2));
  const byName = new Map(packages.map((found) => [found.manifest.name, found]));
  const ownerOf = (path: string) => packages.find(({ dir }) => path.startsWith(`${dir}/`));
  const modules = files.filter(isModule).map((path): Module => {
    const source = read(path);
    const code = codeOnly(source);
    return { path, source, code, imports: findImports(source, code), owner: ownerOf(path), isTest: isTestFile(path) };
  });
  const manifest = files.includes('package.json') ? (JSON.parse(read('package.json')) as Manifest) : { name: '' };
  return { root, files, packages, manifest, modules, read, find: (name) => byName.get(name) };
}

function list(root: string, below: string): string[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(below, entry.name);
    if (skipped.has(entry.name)) return [];
    if (entry.isDirectory()) return list(root, path);
    return entry.isFile() ? [path] : [];
  });
}

/** The package name in a specifier: `@souk/kernel` of `@souk/kernel/x`, `pg` of `pg/lib/y`. */
export const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

export const isRelative = (specifier: string): boolean => specifier.startsWith('.') || specifier.startsWith('/');
export const isBuiltin = (specifier: string): boolean => specifier.startsWith('node:');
