import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';

const root = join(import.meta.dirname, '..', '..', '..');

/** Runs a command, those of the repository's packages among them. */
function run(cwd: string, command: string, args: readonly string[]): SpawnSyncReturns<string> {
  const path = [join(root, 'node_modules', '.bin'), process.env.PATH ?? ''].join(delimiter);
  const env = { ...process.env, PATH: path, NO_COLOR: '1' };
  return spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    shell: process.platform === 'win32' && command === 'npm',
  });
}

let folder = '';
/** An empty project that has installed the tarball, and nothing else. */
let project = '';

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'souk-package-test-'));
  project = join(folder, 'project');
  mkdirSync(project);
  const packed = run(root, process.execPath, ['tools/package/main.ts', 'resilience', '--out', folder]);
  assert.equal(packed.status, 0, packed.stderr);
  const tarball = packed.stdout.trim();
  assert.ok(existsSync(tarball), `${tarball} is there`);
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  const cache = join(folder, 'cache');
  const installed = run(project, 'npm', ['install', '--offline', '--cache', cache, '--no-audit', tarball]);
  assert.equal(installed.status, 0, installed.stderr);
});

after(() => rmSync(folder, { recursive: true, force: true }));

const installed = (): string => join(project, 'node_modules', '@souk', 'resilience');

/** Repeats once, is refused by an open breaker, and says what it saw. */
const consumer = `
const main = async () => {
  // Waits of policies do not keep a process alive.
  const alive = setInterval(() => {}, 1000);
  const stock = policy('stock', { runtime: systemRuntime() })
    .retry({ idempotent: true, backoff: { baseMs: 1 } })
    .bulkhead({ limit: 2 })
    .breaker({})
    .timeout(400)
    .build();
  const value: number = await stock.run(async (attempt) => {
    if (attempt.number === 1) throw new Error('once');
    return 42;
  });
  const now = systemRuntime().clock.monotonicMs();
  stock.breaker?.isolate({ owner: 'test', reason: 'to see', ttlMs: 60_000 }, now);
  const refused: unknown = await stock.run(() => 43).catch((error: unknown) => error);
  const reason: string = isSoukError(refused) ? refused.reason : 'none';
  clearInterval(alive);
  console.log(JSON.stringify({ value, attempts: stock.stats.attempts, reason }));
};
void main();
`;
const names = '{ isSoukError, policy, systemRuntime }';
const esm = `import ${names} from '@souk/resilience';\n${consumer}`;
const cjs = `const ${names} = require('@souk/resilience');\n${consumer}`;
const withoutTypes = (source: string) => source.replaceAll(/: (number|string|unknown)\b/g, '');
const seen = { value: 42, attempts: 2, reason: 'RESILIENCE_BREAKER_OPEN' };

function write(name: string, text: string): string {
  writeFileSync(join(project, name), text);
  return name;
}

function assertSaw({ status, stdout, stderr }: SpawnSyncReturns<string>): void {
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), seen);
}

test('an ES module imports the package and runs a policy', () => {
  assertSaw(run(project, process.execPath, [write('import.mjs', withoutTypes(esm))]));
});

test('a CommonJS module requires the package and runs a policy', () => {
  assertSaw(run(project, process.execPath, [write('require.cjs', withoutTypes(cjs))]));
});

test('errors of one module system are known to the other', () => {
  const script = `
    import { createRequire } from 'node:module';
    import { isSoukError } from '@souk/resilience';
    const { resilienceErrors } = createRequire(import.meta.url)('@souk/resilience');
    console.log(isSoukError(resilienceErrors.RATE_LIMITED({ policy: 'stock' })));`;
  const { stdout, stderr } = run(project, process.execPath, [write('both.mjs', script)]);
  assert.equal(stdout.trim(), 'true', stderr);
});

test('the oldest Node.js that it promises to run on runs it, in both module systems', (t) => {
  const { engines } = JSON.parse(readFileSync(join(installed(), 'package.json'), 'utf8'));
  assert.equal(engines.node, '>=20');
  const oldest = otherNodes().sort((a, b) => a.major - b.major)[0];
  if (oldest === undefined) return t.skip('there is no other Node.js from 20 on in PATH or /usr/local/bin');
  t.diagnostic(`${oldest.path} is ${oldest.major}`);
  assertSaw(run(project, oldest.path, [write('old.mjs', withoutTypes(esm))]));
  assertSaw(run(project, oldest.path, [write('old.cjs', withoutTypes(cjs))]));
});

/** Those outside of node_modules, older than the one that runs the tests. */
function otherNodes(): { path: string; major: number }[] {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/bin'];
  return folders
    .filter((one) => one !== '' && !one.includes('node_modules'))
    .map((one) => join(one, 'node'))
    .filter((path) => existsSync(path))
    .map((path) => ({
      path,
      major: Number(/^v(\d+)\./.exec(spawnSync(path, ['-v'], { encoding: 'utf8' }).stdout)?.[1]),
    }))
    .filter(({ major }) => major >= 20 && major < Number(process.versions.node.split('.')[0]));
}

for (const [types, options] of [
  ['those of Node.js', { lib: ['es2022'], types: ['node'], typeRoots: [join(root, 'node_modules', '@types')] }],
  ['those of browsers', { lib: ['es2022', 'dom'], types: [] }],
] as const) {
  // Newer settings let CommonJS require ES modules: they would not see declarations of the wrong module system.
  test(`strict type checks pass in both module systems with ${types}`, () => {
    const compilerOptions = { ...options, target: 'es2022', module: 'node16', strict: true, noEmit: true };
    const files = [write('typed.mts', esm), write('typed.cts', esm)];
    // Declarations of the package are checked too.
    write('tsconfig.json', JSON.stringify({ compilerOptions: { ...compilerOptions, skipLibCheck: false }, files }));
    const checked = run(project, 'tsc', ['-p', 'tsconfig.json', '--pretty', 'false']);
    const ours = checked.stdout.split('\n').filter((line) => /typed|souk/.test(line));
    assert.deepEqual(ours, []);
    if (types === 'those of browsers') assert.equal(checked.status, 0, checked.stdout);
  });

  test(`a wrong order of layers does not compile with ${types}`, () => {
    const wrong = `import { policy, systemRuntime } from '@souk/resilience';
      policy('stock', { runtime: systemRuntime() }).breaker({}).retry({});\n`;
    const compilerOptions = { ...options, target: 'es2022', module: 'node16', strict: true, noEmit: true };
    const files = [write('wrong.mts', wrong), write('wrong.cts', wrong)];
    write('wrong.json', JSON.stringify({ compilerOptions: { ...compilerOptions, skipLibCheck: true }, files }));
    const { stdout } = run(project, 'tsc', ['-p', 'wrong.json', '--pretty', 'false']);
    const found = stdout.split('\n').filter((line) => line.includes('error'));
    assert.equal(found.length, 2, stdout);
    for (const line of found) assert.match(line, /wrong\.[mc]ts.*TS2339.*'retry'/);
  });
}

test('each module system gets the code and the declarations that were made for it', () => {
  const { exports } = JSON.parse(readFileSync(join(installed(), 'package.json'), 'utf8'));
  for (const [condition, below, type] of [
    ['import', 'esm', 'module'],
    ['require', 'cjs', 'commonjs'],
  ] as const) {
    const base = `./dist/${below}/index`;
    assert.deepEqual(exports['.'][condition], { types: `${base}.d.ts`, default: `${base}.js` });
    const nearest = JSON.parse(readFileSync(join(installed(), 'dist', below, 'package.json'), 'utf8'));
    assert.equal(nearest.type, type);
  }
});

test('the package has no dependencies, no source and no tests, and imports nothing that is not in it', () => {
  const manifest = JSON.parse(readFileSync(join(installed(), 'package.json'), 'utf8'));
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies', 'scripts', 'private'])
    assert.equal(manifest[kind], undefined, kind);
  assert.deepEqual(readdirSync(join(project, 'node_modules', '@souk')), ['resilience']);
  const files = readdirSync(installed(), { recursive: true, encoding: 'utf8' });
  for (const wanted of ['README.md', 'LICENSE', 'package.json']) assert.ok(files.includes(wanted), wanted);
  assert.deepEqual(
    files.filter((file) => (/\.ts$/.test(file) && !/\.d\.ts$/.test(file)) || /test|conformance/.test(file)),
    [],
  );
  const specifiers = new Set<string>();
  for (const file of files.filter((one) => /\.(js|ts)$/.test(one))) {
    const text = readFileSync(join(installed(), file), 'utf8');
    for (const [, one = ''] of text.matchAll(/(?:from|require\(|import\()\s*['"]([^'"]+)['"]/g)) specifiers.add(one);
  }
  const strange = [...specifiers].filter((one) => !/^(node:|\.\.?\/.*\.js$)/.test(one));
  assert.deepEqual(
    strange.filter((one) => one !== '@souk/resilience'),
    [],
  );
});
