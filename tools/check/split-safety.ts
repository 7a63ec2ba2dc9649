// What works while services share a process and breaks when each gets its own.

import { posix } from 'node:path';
import { lineAt, type Rule, type Violation } from './rule.ts';
import { depths, literalsOf } from './scanner.ts';
import { keyOf, type Named, readDeclarations } from './service-declarations.ts';
import { foreignUses } from './service-tables.ts';
import { isRelative, type Module, packageOf, type Tree } from './tree.ts';

export const splitSafety: Rule = {
  name: 'split-safety',
  run: (tree) => [
    ...tree.modules
      .filter(isOfService)
      .flatMap((module) => [...imports(module), ...words(module), ...files(tree, module)]),
    ...sharedState(tree),
    ...foreignUses(tree).map(({ module, offset, message }) => report(module, offset, message)),
    ...contracts(tree),
  ],
};

const isOfService = ({ owner, isTest }: Module): boolean => owner?.kind === 'services' && !isTest;

const report = (module: Module, offset: number, message: string): Violation => ({
  path: module.path,
  line: lineAt(module.source, offset),
  message,
});

/** Where a service speaks to somebody who is no service of ours, by a port of its own. */
const OUTSIDE: readonly string[] = ['services/payments/src/provider/'];
const speaksOutside = ({ path }: Module): boolean => OUTSIDE.some((folder) => path.startsWith(folder));

const NETWORK =
  'calls past the contracts, which carry deadline, identity and policy: declare the service in `calls`, or put an outside company behind a port and its folder into OUTSIDE of tools/check/split-safety.ts';
const MEMORY = 'reaches what is in this process only: call the other service by its contract, or publish an event';
const DISK = 'touches files, which other instances do not see: keep it in the database of the service';

const MODULES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['http', 'https', 'http2', 'net', 'tls', 'dgram'].map((name) => [name, NETWORK])),
  ...Object.fromEntries(
    ['undici', 'axios', 'got', 'ws', 'pg', '@souk/rpc', '@souk/discovery'].map((name) => [name, NETWORK]),
  ),
  ...Object.fromEntries(
    [
      'events',
      'worker_threads',
      'cluster',
      'child_process',
      'diagnostics_channel',
      'async_hooks',
      'process',
      'v8',
      'vm',
    ].map((name) => [name, MEMORY]),
  ),
  ...Object.fromEntries(['fs', 'fs/promises', 'sqlite'].map((name) => [name, DISK])),
};

/** Types are gone at run time. */
function imports(module: Module): Violation[] {
  return module.imports
    .filter(({ kind }) => kind !== 'type')
    .flatMap(({ specifier, offset }) => {
      const problem = MODULES[specifier.replace(/^node:/, '')] ?? MODULES[packageOf(specifier)];
      if (problem === undefined || (problem === NETWORK && speaksOutside(module))) return [];
      return [report(module, offset, `${specifier} ${problem}`)];
    });
}

const WORDS: readonly (readonly [pattern: RegExp, message: string])[] = [
  [/(?<![\w$.])(?:fetch\s*\(|new\s+(?:WebSocket|EventSource|XMLHttpRequest)\b)/g, NETWORK],
  [
    /(?<![\w$.])(?:BroadcastChannel|MessageChannel|EventEmitter|EventTarget|SharedArrayBuffer|Atomics|Worker|globalThis|global)\b(?!\s*\??:)/g,
    MEMORY,
  ],
  [/(?<![\w$.])process\s*\??\.\s*\w+|(?<![\w$.])Symbol\s*\.\s*for\b/g, MEMORY],
];

const words = (module: Module): Violation[] =>
  WORDS.filter(([, message]) => !(message === NETWORK && speaksOutside(module))).flatMap(([pattern, message]) =>
    [...module.code.matchAll(pattern)].map((match) =>
      report(module, match.index, `${match[0].replace(/\s+/g, ' ').replace(/\s*\($/, '')} ${message}`),
    ),
  );

/** A path into another service. Imports by name or by path are for the rule `layers`. */
function files(tree: Tree, module: Module): Violation[] {
  const own = module.owner?.dir as string;
  const others = tree.packages.filter(({ kind, dir }) => kind === 'services' && dir !== own);
  const specifiers = new Set(module.imports.map(({ specifier }) => specifier));
  return literalsOf(module.source)
    .filter(({ text }) => !specifiers.has(text))
    .flatMap(({ from, text }) => {
      const other = others.find(
        ({ dir, manifest }) =>
          new RegExp(String.raw`(?:^|[./])${dir}(?:/|$)|(?:^|/)\.\./${posix.basename(dir)}/`).test(text) ||
          text === manifest.name,
      );
      return other === undefined
        ? []
        : [
            report(
              module,
              from,
              `'${text}' leads into ${other.dir}: a service is packed and started without the others`,
            ),
          ];
    });
}

/** Platform code is loaded once per process, so what its modules hold is shared by all services in it. */
const isLoadedByServices = ({ owner, isTest }: Module): boolean =>
  !isTest &&
  owner !== undefined &&
  (owner.kind === 'services' ||
    (owner.kind === 'platform' && !['host', 'gateway', 'testkit'].includes(posix.basename(owner.dir))));

const STATELESS =
  /^(?:Map|Set|WeakMap|WeakSet|Array|RegExp|URL|URLPattern|TextEncoder|TextDecoder|Intl|Date|Error|(?:Big)?(?:Ui|I)nt\d+(?:Clamped)?Array|Float\d+Array|ArrayBuffer|DataView)$/;
const CHANGES = 'set|add|delete|clear|push|pop|shift|unshift|splice|sort|reverse|fill|copyWithin';

/** The rule `bans` sees a module that changes its own collections; this one sees objects that hold state, and who changes another's. */
function sharedState(tree: Tree): Violation[] {
  const modules = tree.modules.filter(isLoadedByServices);
  const collections = new Map(modules.map((module) => [module.path, exportedCollections(module)]));
  const inPackage = (specifier: string) => {
    const dir = tree.find(packageOf(specifier))?.dir;
    return dir === undefined ? [] : modules.filter(({ owner }) => owner?.dir === dir);
  };
  return modules.flatMap((module) => [
    ...instances(module),
    ...statics(module),
    ...module.imports
      .filter(({ kind }) => kind === 'value')
      .flatMap(({ specifier, names }) => {
        const from = isRelative(specifier)
          ? modules.filter(({ path }) => path === posix.join(posix.dirname(module.path), specifier))
          : inPackage(specifier);
        return names.flatMap((name) => {
          const holder = from.find(({ path }) => collections.get(path)?.has(name));
          return holder === undefined ? [] : changesOf(module, name, holder);
        });
      }),
  ]);
}

function exportedCollections({ code }: Module): Set<string> {
  const depth = depths(code);
  return new Set(
    [...code.matchAll(/\bconst\s+([\w$]+)\s*(?::[^=;]*(?:=>[^=;]*)?)?=\s*(?:new\s+(?:Map|Set|WeakMap|Array)\b|\[|\{)/g)]
      .filter(({ index }) => depth[index] === 0)
      .map(([, name]) => name as string),
  );
}

function changesOf(module: Module, name: string, holder: Module): Violation[] {
  const change = new RegExp(
    String.raw`(?<![\w$.])${name.replaceAll('$', String.raw`\$`)}\s*(?:\.\s*(?:${CHANGES})\s*\(|(?:\.\s*[\w$]+|\[[^\]]*\])\s*(?:[-+*/%&|^?]{0,2}=(?![=>])|\+\+|--))`,
    'g',
  );
  return [...module.code.matchAll(change)].map(({ index }) =>
    report(
      module,
      index,
      `changes ${name}, which ${holder.path} holds for the whole process: pass an object on instead`,
    ),
  );
}

/** `const cache = new Cache()` and `const pool = createPool()` at the top level. */
function instances(module: Module): Violation[] {
  const depth = depths(module.code);
  return [
    ...module.code.matchAll(
      /\bconst\s+([\w$]+)\s*(?::[^=;]*)?=\s*(?:await\s+)?(?:new\s+([\w$]+)|((?:create|open|make|start|connect|build)[A-Z][\w$]*)\s*\()/g,
    ),
  ]
    .filter(({ index, 2: name }) => depth[index] === 0 && !(name !== undefined && STATELESS.test(name)))
    .map((match) =>
      report(
        module,
        match.index,
        `${match[1]} is one object for all services of the process: make it where a service starts, in \`parts\` or \`start\``,
      ),
    );
}

const statics = (module: Module): Violation[] =>
  [
    ...module.code.matchAll(
      /(?<=[{};]\s*)static\s+(?:(?!readonly\b)#?[\w$]+\s*(?::[^=;({]*)?[=;]|readonly\s+#?[\w$]+\s*(?::[^=;({]*)?=\s*(?:new\s+(?:Map|Set|Array)\b|\[|\{))/g,
    ),
  ].map((match) => report(module, match.index, 'a static field is state of the process: keep it in the object'));

/** Contracts that nobody serves, events that nobody tells. */
function contracts(tree: Tree): Violation[] {
  const declarations = readDeclarations(tree);
  const keys = (members: readonly Named[]): string[] => members.flatMap(({ key }) => key ?? []);
  const served = new Set(declarations.flatMap(({ serves }) => keys(serves)));
  const told = new Set([...declarations.flatMap(({ publishes }) => keys(publishes)), ...ofApps(tree)]);
  const say = ({ module, offset, name }: Named, message: string) => report(module, offset, `${name} ${message}`);
  return [
    ...declarations.flatMap(({ module, offset, unread }) =>
      unread.map((member) =>
        report(
          module,
          offset,
          `${member} cannot be read here: write it out in the declaration, or as a constant beside it`,
        ),
      ),
    ),
    ...declarations.flatMap(({ serves, calls, publishes, consumes }) =>
      [...serves, ...calls, ...publishes, ...consumes]
        .filter(({ key }) => key === undefined)
        .map((one) => say(one, 'is not imported under this name here: import it as it is called')),
    ),
    ...declarations.flatMap(({ calls }) =>
      calls
        .filter(({ key }) => key !== undefined && !served.has(key))
        .map((one) => say(one, 'is called and no service serves it: add it to `serves` of the one that does')),
    ),
    ...declarations.flatMap(({ consumes }) =>
      consumes
        .filter(({ key }) => key?.startsWith('@souk/contracts/') && !told.has(key))
        .map((one) => say(one, 'is heard and no service publishes it: add it to `publishes` of the one that does')),
    ),
    ...twice(
      declarations.map(({ serves }) => serves),
      'is served by',
    ),
    ...twice(
      declarations.map(({ publishes }) => publishes),
      'is published by',
    ),
    ...declarations.flatMap((declaration) => published(tree, declaration.service.dir, declaration.publishes, say)),
  ];
}

/** What the programs around the services publish, as in `publishes: [SagaStuckSchema]`. */
const ofApps = (tree: Tree): string[] =>
  tree.modules
    .filter(({ owner, isTest }) => owner?.kind === 'apps' && !isTest)
    .flatMap((module) =>
      [...module.code.matchAll(/(?<![\w$.])publishes\s*:\s*\[([^\]]*)\]/g)].flatMap(([, list = '']) =>
        list.split(',').flatMap((name) => keyOf(module, name.trim()) ?? []),
      ),
    );

/** A contract has one owner, or a call goes to whoever was first. */
function twice(lists: readonly (readonly Named[])[], what: string): Violation[] {
  const first = new Map<string, Named>();
  return lists.flatMap((list) =>
    list.flatMap((one) => {
      if (one.key === undefined) return [];
      const other = first.get(one.key);
      first.set(one.key, other ?? one);
      return other === undefined
        ? []
        : [report(one.module, one.offset, `${one.name} ${what} ${other.module.path} too: one service owns it`)];
    }),
  );
}

const PUBLISH = /\.\s*publish\s*\(\s*[^,()]+,\s*([A-Za-z_$][\w$]*)/g;

/** What the code of a service publishes is what it declares. */
function published(
  tree: Tree,
  dir: string,
  declared: readonly Named[],
  say: (one: Named, message: string) => Violation,
): Violation[] {
  const uses = tree.modules
    .filter((module) => module.owner?.dir === dir && !module.isTest)
    .flatMap((module) =>
      [...module.code.matchAll(PUBLISH)].map((match): Named => {
        const name = match[1] as string;
        return { module, offset: match.index, name, key: keyOf(module, name) };
      }),
    );
  const known = new Set(declared.map(({ key }) => key));
  const used = new Set(uses.map(({ key }) => key));
  const isDynamic = uses.some(({ name }) => !/^[A-Z]/.test(name));
  return [
    ...uses
      .filter(({ name, key }) => /^[A-Z]/.test(name) && !known.has(key))
      .map((one) => say(one, 'is published and not declared: add it to `publishes` of the service')),
    ...declared
      .filter(({ key }) => key !== undefined && !isDynamic && !used.has(key))
      .map((one) => say(one, 'is declared and never published: whoever hears it would wait for ever')),
  ];
}
