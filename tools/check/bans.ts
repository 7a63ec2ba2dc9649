// What may not be written outside of its owner: everything that would make a run depend on the clock, on chance or on the process.

import { allowed } from './ban-exceptions.ts';
import { lineAt, type Rule, type Violation } from './rule.ts';
import { depths } from './scanner.ts';
import type { Module } from './tree.ts';

export interface Ban {
  readonly name: string;
  readonly pattern: RegExp;
  readonly message: string;
  readonly applies: (module: Module) => boolean;
}

const product = ({ path }: Module): boolean => /^(platform|adapters|services|apps)\//.test(path);
const library = ({ path }: Module): boolean => /^(platform|adapters|services|contracts)\//.test(path);
const source = (module: Module): boolean => product(module) && !module.isTest;
const unitTest = (module: Module): boolean => module.isTest && !/\.(int|e2e|chaos|infra)\.test\.ts$/.test(module.path);

export const bans: readonly Ban[] = [
  {
    name: 'clock',
    pattern:
      /(?<![\w$.])(Date\s*\.\s*now\b|new\s+Date\s*\(\s*\)|Date\s*\(\s*\)|performance\s*\.\s*now\b|process\s*\.\s*(hrtime|uptime)\b|Temporal\s*\.\s*Now\b)/g,
    message: 'reads the clock: take `clock` from the Runtime',
    applies: source,
  },
  {
    name: 'timers',
    pattern: /(?<![\w$.])(?:globalThis\s*\.\s*)?(setTimeout|setInterval|setImmediate|AbortSignal\s*\.\s*timeout)\b/g,
    message: 'starts a timer: take `timers` from the Runtime',
    applies: source,
  },
  {
    name: 'random',
    pattern: /\b(Math\s*\.\s*random|randomUUID|randomBytes|randomInt|randomFill(Sync)?|getRandomValues)\b/g,
    message: 'draws chance: take `random` or `ids` from the Runtime',
    applies: source,
  },
  {
    name: 'environment',
    pattern: /\bprocess\s*\??\.\s*env\b|\bimport\s*\.\s*meta\s*\.\s*env\b|\bimport\s*\{[^}]*\benv\b[^}]*\}\s*from/g,
    message: 'reads the environment: declare a setting with @souk/config and take its value',
    applies: source,
  },
  {
    name: 'bare-error',
    pattern: /\bthrow\s+(?:new\s+)?(?:[A-Z]\w*Error|Error|DOMException)\s*\(/g,
    message: 'throws an error without a code: make it with the catalogue in src/errors.ts',
    applies: (module) => library(module) && !module.isTest,
  },
  {
    name: 'console',
    pattern: /(?<![\w$.])console\s*\.\s*\w+/g,
    message: 'writes to the console: take a Logger',
    applies: (module) => library(module) && !module.isTest,
  },
  {
    name: 'sleep',
    pattern: /(?<![\w$.])(?:globalThis\s*\.\s*)?(setTimeout|setInterval)\b/g,
    message:
      'waits in real time in a unit test: use virtualRuntime and advance its clock, or name the file *.int.test.ts',
    applies: unitTest,
  },
  {
    name: 'lost-assertion',
    pattern: /(?<=[;{}]\s*)assert\s*\.\s*(rejects|doesNotReject)\s*\(/g,
    message: 'is not awaited, so it cannot fail the test: write await before it',
    applies: ({ isTest }) => isTest,
  },
];

const timerModules = ['node:timers', 'node:timers/promises', 'timers', 'timers/promises'];
const changes = 'set|add|delete|clear|push|pop|shift|unshift|splice|sort|reverse|fill|copyWithin';

export const bansRule: Rule = {
  name: 'bans',
  run: (tree) =>
    tree.modules.flatMap((module) => {
      const found = words(module);
      const imported = timerImports(module).filter(({ line }) => !found.some((one) => one.line === line));
      return [...found, ...imported, ...moduleState(module)];
    }),
};

function words(module: Module): Violation[] {
  return bans
    .filter((ban) => ban.applies(module) && !allowed(ban.name, module.path))
    .flatMap((ban) =>
      [...module.code.matchAll(ban.pattern)]
        .filter((match) => !isMemberName(module.code, match.index + match[0].length))
        .map((match) => report(module, match.index, `${match[0].replace(/\s+/g, ' ').trim()} ${ban.message}`)),
    );
}

/** `setTimeout?: …` or `console: …` declares a member of that name; nothing is called. */
const isMemberName = (code: string, end: number): boolean => /^\s*\??:(?!:)/.test(code.slice(end, end + 8));

function timerImports(module: Module): Violation[] {
  const ban = module.isTest ? 'sleep' : 'timers';
  if (!(source(module) || unitTest(module)) || allowed(ban, module.path)) return [];
  return module.imports
    .filter(
      ({ specifier, names }) =>
        timerModules.includes(specifier) && !names.every((name) => name === 'setImmediate' && module.isTest),
    )
    .map(({ specifier, offset }) =>
      report(module, offset, `${specifier} starts real timers: take \`timers\` from the Runtime`),
    );
}

/**
 * A variable at the top level, or a collection there that some function changes. A WeakMap is left alone: it can only remember what
 * follows from its key, and is gone with it.
 */
function moduleState(module: Module): Violation[] {
  if (!product(module) || module.isTest || allowed('module-state', module.path)) return [];
  const depth = depths(module.code);
  const atTop = (offset: number) => depth[offset] === 0;
  /** `const add = () => seen.add(1);` has no bracket around its body. */
  const isArrowBody = (offset: number) => {
    let at = offset;
    while (at > 0 && !(atTop(at) && module.code[at] === ';')) at -= 1;
    return [...module.code.slice(at, offset).matchAll(/=>/g)].some(({ index }) => atTop(at + index));
  };
  const variables = [...module.code.matchAll(/(?<=^|[;}\n]\s*|export\s+)(let|var)\s+([\w$]+|[[{])/g)]
    .filter((match) => atTop(match.index))
    .map((match) =>
      report(
        module,
        match.index,
        `${match[1]} ${match[2]} is state of the module: keep it in an object that is passed on`,
      ),
    );
  const held = [
    ...module.code.matchAll(/\bconst\s+([\w$]+)\s*(?::[^=;]*(?:=>[^=;]*)?)?=\s*(new\s+(?:Map|Set|Array)\b|\[|\{)/g),
  ]
    .filter((match) => atTop(match.index))
    .flatMap((match) => {
      const name = (match[1] as string).replaceAll('$', String.raw`\$`);
      const change = new RegExp(
        String.raw`(?<![\w$.])${name}\s*(?:\.\s*(?:${changes})\s*\(|(?:\.\s*[\w$]+|\[[^\]]*\])\s*(?:[-+*/%&|^?]{0,2}=(?![=>])|\+\+|--))`,
        'g',
      );
      const changed = [...module.code.matchAll(change)].find(({ index }) => !atTop(index) || isArrowBody(index));
      return changed === undefined
        ? []
        : [
            report(
              module,
              changed.index,
              `changes ${match[1]}, a collection of the module: keep it in an object that is passed on`,
            ),
          ];
    });
  return [...variables, ...held];
}

const report = (module: Module, offset: number, message: string): Violation => ({
  path: module.path,
  line: lineAt(module.source, offset),
  message,
});
