// The rules that other tools know: types (tsc), format and lint (Biome).

import { realpathSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';
import { run } from './command.ts';
import type { Rule, Violation } from './rule.ts';

export const types: Rule = {
  name: 'types',
  run: async ({ root }) => {
    const { status, stdout, stderr } = await run(root, 'tsc', ['-p', 'tsconfig.json', '--pretty', 'false']);
    const found = [...stdout.matchAll(/^(.+?)\((\d+),\d+\): error (TS\d+: .*)$/gm)].map(
      ([, path = '', line, message = '']): Violation => ({ path, line: Number(line), message }),
    );
    return orFailure(found, status, 'tsconfig.json', `tsc ended with ${status}: ${firstLine(stdout + stderr)}`);
  },
};

export const biome: Rule = {
  name: 'biome',
  run: async ({ root }) => {
    const { status, stdout, stderr } = await run(root, 'biome', [
      'ci',
      '--reporter=github',
      '--max-diagnostics=none',
      '--colors=off',
    ]);
    const found = [...stdout.matchAll(/^::error title=([^,\n]*),file=([^,\n]*),line=(\d+),.*?::(.*)$/gm)].map(
      ([, title = '', path = '', line, message = '']): Violation => ({
        path: isAbsolute(path) ? relative(realpathSync(root), path) : path,
        line: Number(line),
        message: `${title}: ${message}${/^(format|assist)/.test(title) ? '; run npm run format' : ''}`,
      }),
    );
    return orFailure(found, status, 'biome.json', `biome ended with ${status}: ${firstLine(stderr)}`);
  },
};

/** A tool that fails without a finding we can read has still failed. */
const orFailure = (found: Violation[], status: number, path: string, message: string): Violation[] =>
  found.length > 0 || status === 0 ? found : [{ path, line: 0, message }];

const firstLine = (text: string): string => text.split('\n').find((line) => line.trim() !== '') ?? 'no output';
