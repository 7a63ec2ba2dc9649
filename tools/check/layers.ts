// Who may import whom. The ranks are the architecture: a package imports only lower ones.

import { posix } from 'node:path';
import type { Import } from './imports.ts';
import { lineAt, type Rule, type Violation } from './rule.ts';
import { isBuiltin, isRelative, type Module, type Package, packageOf, type Tree } from './tree.ts';

export const ranks: Readonly<Record<string, number>> = {
  kernel: 0,
  config: 1,
  telemetry: 1,
  security: 1,
  schema: 1,
  resilience: 2,
  store: 2,
  cache: 2,
  discovery: 2,
  rpc: 3,
  messaging: 3,
  eventstore: 4,
  saga: 4,
  service: 5,
  host: 6,
  gateway: 6,
  testkit: 6,
};

/** The highest rank that holds a port, so the highest an adapter may import. */
const portRank = 3;
/** Apps that another app, or the tests of a service, may start: they stand for the outside world. */
const startableApps = ['@souk/app-payment-provider', '@souk/app-registry'];

const rankOf = (found: Package): number => ranks[posix.basename(found.dir)] ?? Number.NaN;

export const layers: Rule = {
  name: 'layers',
  run: (tree) => [
    ...tree.packages.filter((found) => found.kind === 'platform' && Number.isNaN(rankOf(found))).map(unranked),
    ...tree.modules.flatMap((module) => module.imports.flatMap((one) => check(tree, module, one))),
    ...tree.packages.filter(({ kind }) => kind === 'adapters').flatMap((found) => vendors(tree, found)),
  ],
};

const unranked = ({ dir }: Package): Violation => ({
  path: `${dir}/package.json`,
  line: 0,
  message: 'has no rank: give it one in tools/check/layers.ts',
});

function check(tree: Tree, module: Module, one: Import): Violation[] {
  const problem = isRelative(one.specifier) ? leaves(module, one.specifier) : crosses(tree, module, one);
  return problem === undefined
    ? []
    : [{ path: module.path, line: lineAt(module.source, one.offset), message: problem }];
}

/** Where tests of every package find a database. */
const testSupport = 'tests/support/';

/** A relative import stays in its package, and `domain` stays in itself. */
function leaves(module: Module, specifier: string): string | undefined {
  const home = module.owner?.dir ?? (module.path.split('/')[0] as string);
  const target = posix.join(posix.dirname(module.path), specifier);
  if (module.isTest && target.startsWith(testSupport)) return undefined;
  // A bench starts the same brokers as the tests do.
  if (home === 'bench' && target.startsWith('tests/support/')) return undefined;
  if (!target.startsWith(`${home}/`)) return `${specifier} leaves ${home}: import the package by its name`;
  const domain = domainOf(module);
  if (domain !== undefined && !target.startsWith(domain) && target !== `${home}/src/errors.ts`) {
    return `domain imports ${specifier}: domain code may import its siblings, ../errors.ts and @souk/kernel only`;
  }
  return undefined;
}

const domainOf = (module: Module): string | undefined =>
  module.isTest ? undefined : /^services\/[^/]+\/src\/domain\//.exec(module.path)?.[0];

function crosses(tree: Tree, module: Module, one: Import): string | undefined {
  const { specifier } = one;
  const name = packageOf(specifier);
  const target = tree.find(name);
  if (domainOf(module) !== undefined && name !== '@souk/kernel') {
    return `domain imports ${specifier}: domain code does no I/O; hand it values, and import @souk/kernel or siblings only`;
  }
  if (target === undefined) return undefined;
  const subpath = specifier.slice(name.length + 1);
  if (/(^|\/)(src|gen|dist|lib)(\/|$)|\.(ts|js)$/.test(subpath)) {
    return `${specifier} is a deep import: use what ${name} exports`;
  }
  if (module.isTest) return testImports(module, target, specifier);
  if (name === '@souk/testkit' && module.owner !== target)
    return `${specifier} is for tests: move what needs it into a test`;
  if (subpath === 'conformance') return `${specifier} is for tests: call the suite from a test`;
  return layerProblem(module, target, specifier);
}

function layerProblem(module: Module, target: Package, specifier: string): string | undefined {
  const { owner } = module;
  if (owner === target) return `${specifier} is this very package: use a relative import`;
  if (owner === undefined) return rootProblem(module, target, specifier);
  if (target.kind === 'apps' && !(owner.kind === 'apps' && startableApps.includes(target.manifest.name))) {
    return `${specifier}: nothing imports an app; move what is shared into a package`;
  }
  if (owner.kind === 'apps') return undefined;
  if (owner.kind === 'contracts') return `contracts import ${specifier}: contracts import nothing of ours`;
  if (target.kind === 'services') return `${specifier}: no one imports a service; call it through its contract`;
  if (target.kind === 'adapters') return `${specifier}: only apps choose adapters; depend on the port`;
  if (target.kind === 'contracts') {
    return owner.kind === 'services'
      ? undefined
      : `${owner.kind} imports ${specifier}: only services and apps know the contracts`;
  }
  const rank = rankOf(target);
  if (owner.kind === 'adapters' && rank > portRank)
    return `${specifier} has rank ${rank}: an adapter imports up to ${portRank}`;
  if (owner.kind === 'services' && rank > 5) return `${specifier} has rank ${rank}: a service imports up to rank 5`;
  if (owner.kind === 'platform' && rank >= rankOf(owner)) {
    return `${specifier} has rank ${rank}, this package ${rankOf(owner)}: import only lower ranks, or pass the thing in`;
  }
  return undefined;
}

/** Modules outside of every package: the repository's tools, and benches, which put together what they measure. */
function rootProblem(module: Module, target: Package, specifier: string): string | undefined {
  if (module.path.startsWith('bench/')) {
    if (['contracts', 'platform', 'adapters'].includes(target.kind)) return undefined;
    return `bench imports ${specifier}: a bench measures the platform and its adapters; it starts an app as its users do`;
  }
  if (target.kind === 'contracts' || (target.kind === 'platform' && rankOf(target) <= 1)) return undefined;
  return `${module.path.split('/')[0]} imports ${specifier}: tools know contracts and platform up to rank 1 only`;
}

/** Tests may start what they test, but keep the direction: the platform knows no contract and no service, a service no other one. */
function testImports(module: Module, target: Package, specifier: string): string | undefined {
  const { owner } = module;
  if (owner === undefined || owner.kind === 'apps' || owner === target) return undefined;
  if (owner.kind === 'platform' && target.kind !== 'platform') {
    return `a platform test imports ${specifier}: the platform knows no contract, adapter or service, nor do its tests`;
  }
  // A service is tested against the real outside world where there is one.
  if (owner.kind === 'services' && startableApps.includes(target.manifest.name)) return undefined;
  if (target.kind === 'services' || target.kind === 'apps')
    return `${specifier}: test several services together in tests/`;
  return undefined;
}

/** What all contracts are made of: nobody's product here. */
const common = ['@bufbuild'];

/** One outside product per adapter; packages of one scope are one product. */
function vendors(tree: Tree, adapter: Package): Violation[] {
  const seen = new Set<string>();
  return tree.modules
    .filter((module) => module.owner === adapter && !module.isTest)
    .flatMap((module) => module.imports.map((one) => ({ module, one })))
    .filter(
      ({ one }) =>
        !isRelative(one.specifier) && !isBuiltin(one.specifier) && tree.find(packageOf(one.specifier)) === undefined,
    )
    .flatMap(({ module, one }) => {
      const vendor = one.specifier.startsWith('@') ? (one.specifier.split('/')[0] as string) : packageOf(one.specifier);
      if (common.includes(vendor)) return [];
      seen.add(vendor);
      if (seen.size < 2 || [...seen][0] === vendor) return [];
      const message = `${vendor} is a second vendor beside ${[...seen][0]}: an adapter wraps one product; make another adapter`;
      return [{ path: module.path, line: lineAt(module.source, one.offset), message }];
    });
}
