// Finds test files and runs them with node's own runner, a process per file.

import { once } from 'node:events';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/** A test's kind is in its file name: `x.test.ts` is a unit test, `x.int.test.ts` needs PostgreSQL, and so on. */
export const kinds = ['unit', 'int', 'e2e', 'chaos', 'infra'] as const;
export type TestKind = (typeof kinds)[number];

const roots = ['platform', 'adapters', 'services', 'contracts', 'apps', 'tests', 'tools'];

export const kindOf = (file: string): TestKind => {
  const infix = /\.(\w+)\.test\.ts$/.exec(file)?.[1];
  return kinds.find((kind) => kind === infix) ?? 'unit';
};

/**
 * The test files under `root` of the given kinds whose path contains one of `parts` (all when there is none), the slow kinds
 * first so that they do not end up alone on one worker.
 */
export function selectTests(root: string, wanted: readonly TestKind[], parts: readonly string[]): string[] {
  const needles = parts.map((part) => part.replaceAll('\\', '/').replace(/^\.\//, ''));
  const found = globSync(`{${roots.join(',')}}/**/*.test.ts`, {
    cwd: root,
    exclude: (name) => name === 'node_modules',
  });
  return found
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => wanted.includes(kindOf(file)))
    .filter((file) => needles.length === 0 || needles.some((needle) => file.includes(needle)))
    .sort((a, b) => kinds.indexOf(kindOf(b)) - kinds.indexOf(kindOf(a)) || (a < b ? -1 : 1));
}

export interface RunOptions {
  readonly files: readonly string[];
  /** Test processes at a time. */
  readonly workers: number;
  /** A test or a file that takes longer is stopped and counts as failed. */
  readonly timeoutMs: number;
  /** Patterns of test names; none runs all. */
  readonly names: readonly string[];
  /** So many files that took longest are told of. @default none */
  readonly slowest?: number;
  /** Tests that repeat something by chance do it as often as is worth while, not as often as CI has time for. @default false */
  readonly long?: boolean;
}

/** Runs the files; failures and the closing lines go to standard output. Resolves to whether all went well. */
export async function runTests(options: RunOptions): Promise<boolean> {
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort());
  const total = { tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 };
  const report = new spec();
  report.on('data', (text) => process.stdout.write(text));
  const progress = startProgress(options.files.length);
  const queue = [...options.files];
  const begun = performance.now();
  const times: { readonly file: string; readonly ms: number }[] = [];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined && !stopped.signal.aborted; file = queue.shift()) {
      const fileBegun = performance.now();
      const result = await runFile(file, options, stopped.signal);
      times.push({ file, ms: performance.now() - fileBegun });
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += result.counts[key];
      if (result.events.length > 0) progress.clear();
      for (const event of result.events) report.write(event);
      progress.done(result.good);
    }
  };
  await Promise.all(Array.from({ length: options.workers }, worker));
  progress.clear();
  times.sort((one, other) => other.ms - one.ms);
  for (const { file, ms } of times.slice(0, options.slowest ?? 0)) console.log(`${(ms / 1000).toFixed(1)} s  ${file}`);
  const { tests, suites, passed, failed, cancelled, skipped, todo } = total;
  const closing = { tests, suites, pass: passed, fail: failed, cancelled, skipped, todo };
  for (const [name, count] of Object.entries({ ...closing, duration_ms: Math.round(performance.now() - begun) })) {
    report.write({ type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${count}`, level: 'info' } });
  }
  report.end();
  await once(report, 'end');
  return progress.good() && !stopped.signal.aborted;
}

interface RunnerEvent {
  readonly type: string;
  readonly data: object;
}

interface FileResult {
  readonly good: boolean;
  readonly counts: Readonly<
    Record<'tests' | 'suites' | 'passed' | 'failed' | 'cancelled' | 'skipped' | 'todo', number>
  >;
  /** Failures and, when there are any, what the file printed. */
  readonly events: readonly RunnerEvent[];
}

/** Compiled modules, kept between processes: most of what a short one does otherwise is to strip types and compile. */
const compileCache = join(import.meta.dirname, '..', 'node_modules', '.cache', 'souk-test', 'compiled');

async function runFile(file: string, options: RunOptions, stop: AbortSignal): Promise<FileResult> {
  const { timeoutMs, names } = options;
  // A file that hangs in a test fails there with the test's name; the file's own limit, a little later, ends what hangs outside of one.
  const limit = AbortSignal.timeout(timeoutMs + 2_000);
  const events = run({
    files: [file],
    timeout: timeoutMs,
    signal: AbortSignal.any([limit, stop]),
    env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...(options.long === true && { SOUK_TEST_LONG: '1' }) },
    ...(names.length > 0 ? { testNamePatterns: [...names] } : {}),
  });
  let counts: FileResult['counts'] = { tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 };
  let good = true;
  const failures: RunnerEvent[] = [];
  const printed: RunnerEvent[] = [];
  for await (const event of events as AsyncIterable<
    RunnerEvent & { data: { counts?: FileResult['counts']; success?: boolean } }
  >) {
    if (event.type === 'test:fail') failures.push(event);
    if (event.type === 'test:stdout' || event.type === 'test:stderr') printed.push(event);
    if (event.type !== 'test:summary') continue;
    if (event.data.success === false) good = false;
    if (event.data.counts !== undefined) counts = event.data.counts;
  }
  good &&= failures.length === 0 && !limit.aborted;
  if (limit.aborted)
    printed.unshift(note(file, `${file} was still running after ${timeoutMs / 1000} s and was stopped\n`));
  return { good, counts, events: good ? [] : [...printed, ...failures] };
}

const note = (file: string, message: string): RunnerEvent => ({ type: 'test:stderr', data: { file, message } });

/** Counts files on a terminal; says nothing elsewhere. */
function startProgress(files: number) {
  const isLive = process.stderr.isTTY === true;
  const begun = performance.now();
  let done = 0;
  let failed = 0;
  const clear = () => void (isLive && process.stderr.write('\r\x1b[2K'));
  const draw = () => {
    if (!isLive) return;
    const seconds = ((performance.now() - begun) / 1000).toFixed(0);
    process.stderr.write(`\r\x1b[2K${done}/${files} files, ${failed} failed, ${seconds} s`);
  };
  draw();
  return {
    clear,
    done: (good: boolean) => {
      done += 1;
      if (!good) failed += 1;
      draw();
    },
    good: () => failed === 0,
  };
}
