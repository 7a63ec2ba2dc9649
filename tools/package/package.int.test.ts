import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { type Output, run } from '../check/command.ts';
import { stage } from './stage.ts';

const root = join(import.meta.dirname, '..', '..');
let folder = '';
/** An empty project that has installed the tarball, and nothing else. */
let project = '';

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'souk-package-test-'));
  project = join(folder, 'project');
  mkdirSync(project);
  const packed = await run(root, process.execPath, ['tools/package/main.ts', 'resilience', '--out', folder]);
  assert.equal(packed.status, 0, packed.stderr);
  const tarball = packed.stdout.trim();
  assert.ok(existsSync(tarball), `${tarball} is there`);
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  const cache = join(folder, 'cache');
  const installed = await run(project, 'npm', ['install', '--offline', '--cache', cache, '--no-audit', tarball]);
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

function assertSaw({ status, stdout, stderr }: Output): void {
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), seen);
}

test('an ES module imports the package and runs a policy', async () => {
  assertSaw(await run(project, process.execPath, [write('import.mjs', withoutTypes(esm))]));
});

test('a CommonJS module requires the package and runs a policy', async () => {
  assertSaw(await run(project, process.execPath, [write('require.cjs', withoutTypes(cjs))]));
});

test('errors of one module system are known to the other', async () => {
  const script = `
    import { createRequire } from 'node:module';
    import { isSoukError } from '@souk/resilience';
    const { resilienceErrors } = createRequire(import.meta.url)('@souk/resilience');
    console.log(isSoukError(resilienceErrors.RATE_LIMITED({ policy: 'stock' })));`;
  const { stdout, stderr } = await run(project, process.execPath, [write('both.mjs', script)]);
  assert.equal(stdout.trim(), 'true', stderr);
});

test('the oldest Node.js that it promises to run on runs it, in both module systems', async (t) => {
  const { engines } = JSON.parse(readFileSync(join(installed(), 'package.json'), 'utf8'));
  assert.equal(engines.node, '>=20');
  const oldest = otherNodes().sort((a, b) => a.major - b.major)[0];
  if (oldest === undefined) return t.skip('there is no other Node.js from 20 on in PATH or /usr/local/bin');
  t.diagnostic(`${oldest.path} is ${oldest.major}`);
  assertSaw(await run(project, oldest.path, [write('old.mjs', withoutTypes(esm))]));
  assertSaw(await run(project, oldest.path, [write('old.cjs', withoutTypes(cjs))]));
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
  test(`strict type checks pass in both module systems with ${types}`, async () => {
    const compilerOptions = { ...options, target: 'es2022', module: 'nodenext', strict: true, noEmit: true };
    const files = [write('typed.mts', esm), write('typed.cts', esm)];
    // Declarations of the package are checked too.
    write('tsconfig.json', JSON.stringify({ compilerOptions: { ...compilerOptions, skipLibCheck: false }, files }));
    const checked = await run(project, 'tsc', ['-p', 'tsconfig.json', '--pretty', 'false']);
    const ours = checked.stdout.split('\n').filter((line) => /typed|souk/.test(line));
    assert.deepEqual(ours, []);
    if (types === 'those of browsers') assert.equal(checked.status, 0, checked.stdout);
  });

  test(`a wrong order of layers does not compile with ${types}`, async () => {
    const wrong = `import { policy, systemRuntime } from '@souk/resilience';
      policy('stock', { runtime: systemRuntime() }).breaker({}).retry({});\n`;
    const compilerOptions = { ...options, target: 'es2022', module: 'nodenext', strict: true, noEmit: true };
    const files = [write('wrong.mts', wrong), write('wrong.cts', wrong)];
    write('wrong.json', JSON.stringify({ compilerOptions: { ...compilerOptions, skipLibCheck: true }, files }));
    const { stdout } = await run(project, 'tsc', ['-p', 'wrong.json', '--pretty', 'false']);
    const found = stdout.split('\n').filter((line) => line.includes('error'));
    assert.equal(found.length, 2, stdout);
    for (const line of found) assert.match(line, /wrong\.[mc]ts.*TS2339.*'retry'/);
  });
}

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

test('a package that is not there, or imports what cannot come along, is refused in words', async (t) => {
  const unknown = await run(root, process.execPath, ['tools/package/main.ts', 'kitchen']);
  assert.equal(unknown.status, 1);
  assert.match(unknown.stderr, /^package: no recipe for kitchen; there are: resilience/);

  const other = mkdtempSync(join(tmpdir(), 'souk-package-root-'));
  t.after(() => rmSync(other, { recursive: true, force: true }));
  cpSync(join(root, 'platform', 'kernel', 'src'), join(other, 'platform', 'kernel', 'src'), { recursive: true });
  const source = join(other, 'platform', 'kitchen', 'src');
  mkdirSync(source, { recursive: true });
  const staging = { root: other, name: 'kitchen', kernelNames: [], folder: join(other, 'staged') };
  writeFileSync(join(source, 'index.ts'), "export { cook } from 'stove';\n");
  assert.throws(() => stage(staging), /platform\/kitchen\/src\/index\.ts imports stove: only @souk\/kernel/);
  writeFileSync(join(source, 'index.ts'), "import { nothing } from '@souk/kernel';\nexport const cook = nothing;\n");
  assert.throws(() => stage(staging), /@souk\/kernel exports no nothing/);
});
