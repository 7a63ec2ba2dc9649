// Every imported package is declared where it is imported, so that what a package needs can be read from its manifest.

import { isBuiltin as isNodeBuiltin } from 'node:module';
import { lineAt, type Rule } from './rule.ts';
import { isBuiltin, isRelative, type Manifest, type Module, packageOf, type Tree } from './tree.ts';

export const dependencies: Rule = {
  name: 'dependencies',
  run: (tree) =>
    tree.modules.flatMap((module) =>
      module.imports.flatMap((one) => {
        const problem = problemOf(tree, module, one.specifier);
        return problem === undefined
          ? []
          : [{ path: module.path, line: lineAt(module.source, one.offset), message: problem }];
      }),
    ),
};

function problemOf(tree: Tree, module: Module, specifier: string): string | undefined {
  if (isRelative(specifier) || isBuiltin(specifier) || module.path.startsWith('bench/')) return undefined;
  if (isNodeBuiltin(specifier)) return `write node:${specifier}`;
  const name = packageOf(specifier);
  const own = module.owner?.manifest;
  const isOurs = tree.find(name) !== undefined;
  if (own?.name === name || declared(own).has(name)) return undefined;
  if (own === undefined || module.isTest) {
    // Tests and tools use the root's development dependencies, and any of our packages: the workspace links them all.
    if (isOurs || declared(tree.manifest).has(name)) return undefined;
    return `${name} is not declared: add it to the package.json at the root`;
  }
  return `${name} is not declared: add it to ${module.owner?.dir}/package.json`;
}

const declared = (manifest: Manifest | undefined): Set<string> =>
  new Set(
    [
      manifest?.dependencies,
      manifest?.devDependencies,
      manifest?.optionalDependencies,
      manifest?.peerDependencies,
    ].flatMap((names) => Object.keys(names ?? {})),
  );
