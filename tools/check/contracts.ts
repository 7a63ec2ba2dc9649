// Contracts: well made (buf lint), compatible with what was released (buf breaking), and generated code as new as they are.

import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { run } from './command.ts';
import type { Rule, Violation } from './rule.ts';

export const baseline = 'contracts/baseline.binpb';
const openApiFile = 'openapi.json';

export const contractsLint: Rule = {
  name: 'contracts-lint',
  run: async ({ root }) => bufViolations(await run(root, 'buf', ['lint', '--error-format=json']), 'buf.yaml'),
};

export const contractsBreaking: Rule = {
  name: 'contracts-breaking',
  run: async ({ root }) => {
    if (!existsSync(join(root, baseline))) {
      return [
        {
          path: baseline,
          line: 0,
          message: 'is missing, so nothing guards the contracts: run npm run contracts:release',
        },
      ];
    }
    const found = bufViolations(
      await run(root, 'buf', ['breaking', '--against', baseline, '--error-format=json']),
      baseline,
    );
    return found.map((one) => ({
      ...one,
      message: `${one.message}; keep the old and add the new, or start a v2 package`,
    }));
  },
};

export const contractsGenerated: Rule = {
  name: 'contracts-generated',
  run: async ({ root }) => {
    const fresh = await mkdtemp(join(tmpdir(), 'souk-check-'));
    try {
      const { status, stderr } = await run(root, 'buf', ['generate', '-o', fresh]);
      if (status !== 0)
        return [{ path: 'buf.gen.yaml', line: 0, message: `buf generate failed: ${stderr.split('\n')[0]}` }];
      return compare(await contents(join(fresh, 'contracts/gen')), await contents(join(root, 'contracts/gen')));
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  },
};

export const openApi: Rule = {
  name: 'openapi',
  run: async ({ root }) => {
    if (!existsSync(join(root, 'tools/openapi/main.ts'))) {
      return [
        { path: 'tools/openapi/main.ts', line: 0, message: 'is missing, so the REST description cannot be checked' },
      ];
    }
    const { status, stdout, stderr } = await run(root, process.execPath, ['tools/openapi/main.ts', '--check']);
    if (status === 0) return [];
    const said = (stderr + stdout).split('\n').find((line) => line.trim() !== '') ?? 'no output';
    return [
      {
        path: `contracts/gen/${openApiFile}`,
        line: 0,
        message: `does not follow from the contracts: run npm run generate (${said})`,
      },
    ];
  },
};

function bufViolations(
  { status, stdout, stderr }: { status: number; stdout: string; stderr: string },
  fallback: string,
): Violation[] {
  const found = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { path?: string; start_line?: number; type?: string; message?: string })
    .map(({ path, start_line, type, message }) => ({
      path: path ?? fallback,
      line: start_line ?? 0,
      message: `${type}: ${message}`,
    }));
  if (found.length > 0 || status === 0) return found;
  return [{ path: fallback, line: 0, message: `buf ended with ${status}: ${(stderr || stdout).split('\n')[0]}` }];
}

async function contents(dir: string): Promise<Map<string, string>> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(files.map(async (file) => [file.slice(dir.length + 1), await readFile(file, 'utf8')] as const)),
  );
}

function compare(fresh: ReadonlyMap<string, string>, kept: ReadonlyMap<string, string>): Violation[] {
  const names = new Set([...fresh.keys(), ...kept.keys()]);
  names.delete(openApiFile);
  return [...names]
    .filter((name) => fresh.get(name) !== kept.get(name))
    .map((name) => {
      const what = !fresh.has(name)
        ? 'comes from no contract'
        : kept.has(name)
          ? 'is older than its contract'
          : 'is missing';
      return { path: `contracts/gen/${name}`, line: 0, message: `${what}: run npm run generate` };
    });
}
