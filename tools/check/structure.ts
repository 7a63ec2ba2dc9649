// Every package looks alike, so that whoever knows one finds the way in all.

import { basename } from 'node:path';
import { lineAt, type Rule, type Violation } from './rule.ts';
import { isGenerated, type Module, type Tree } from './tree.ts';

const longest = 500;
const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/;
const named =
  /^(contracts|platform|adapters|services|apps|tests|tools|bench)\/.*\.(ts|js|mjs|sql|proto|json|html|css)$/;

export const structure: Rule = {
  name: 'structure',
  run: (tree) => [...packages(tree), ...names(tree), ...lengths(tree), ...tree.modules.flatMap(wildcards)],
};

function packages(tree: Tree): Violation[] {
  const files = new Set(tree.files);
  return tree.packages.flatMap(({ dir, kind }) => {
    const wanted = kind === 'contracts' ? ['README.md'] : ['README.md', 'src/index.ts'];
    return wanted
      .filter((file) => !files.has(`${dir}/${file}`))
      .map((file) => ({ path: `${dir}/${file}`, line: 0, message: 'is missing: every package has one' }));
  });
}

const names = (tree: Tree): Violation[] =>
  tree.files
    .filter(
      (path) => named.test(path) && !isGenerated(path) && !isMigrationOrProto(path) && !kebab.test(basename(path)),
    )
    .map((path) => ({ path, line: 0, message: 'is not in kebab-case: rename it, e.g. outbox-relay.ts' }));

/** Their tools have naming rules of their own: `0001_create.sql`, `line_item.proto`. */
const isMigrationOrProto = (path: string): boolean => /\/migrations\/|\.proto$/.test(path);

const lengths = (tree: Tree): Violation[] =>
  tree.modules
    .map(({ path, source }) => ({ path, lines: source.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > longest)
    .map(({ path, lines }) => ({
      path,
      line: longest + 1,
      message: `has ${lines} lines: split it by noun, ${longest} is the most`,
    }));

/** A wildcard hides what a package promises. */
const wildcards = ({ path, source, code, owner }: Module): Violation[] =>
  owner === undefined
    ? []
    : [...code.matchAll(/(?<![\w$.])export\s*\*/g)].map(({ index }) => ({
        path,
        line: lineAt(source, index),
        message: 'exports *: name what is exported',
      }));
