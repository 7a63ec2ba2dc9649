import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ShopProcess, soukCommand, startShop, topologySettings } from '../support/shop.ts';
import { endLeftBehind, postmasterOf, scratchFolder, startNode } from '../support/shop-process.ts';

const up = ['up', ...topologySettings];

/** Runs `souk` to its end, in a folder of its own unless one is given. */
async function souk(args: readonly string[], env: Record<string, string> = {}) {
  const cwd = scratchFolder();
  const running = startNode([soukCommand, ...args], { cwd, env: { SOUK_DATA: join(cwd, 'data'), ...env } });
  const { code } = await running.exit;
  return { code, stdout: running.stdout(), stderr: running.stderr(), folder: env.SOUK_DATA ?? join(cwd, 'data') };
}

type Result = Awaited<ReturnType<typeof souk>>;

/** Says what is wrong and nothing else, and leaves nothing behind. */
function failsPlainly({ code, stderr, folder }: Result, pattern: RegExp, exitCode = 1): void {
  assert.equal(code, exitCode, stderr);
  assert.match(stderr, pattern);
  assert.doesNotMatch(stderr, /\n\s+at |Error:/);
  assert.match(stderr, /^souk: [^\n]+\n(?: {2}- [^\n]+\n)*$/);
  assert.equal(postmasterOf(folder), undefined);
}

let shop: ShopProcess;
/** A shop waits a while for its database, so this one begins when the first test does. */
let deserted: Promise<Result>;
before(async () => {
  deserted = closedPort().then((port) =>
    souk(up, { DATABASE_URL: `postgres://ada:hush-hush@127.0.0.1:${port}/shop`, PORT: '0' }),
  );
  shop = await startShop();
});
after(() => shop?.kill9());

describe('what keeps a shop from starting is said in a line:', { concurrency: 3 }, () => {
  test('its port is in use', async () => {
    const { port } = new URL(shop.url);
    failsPlainly(await souk(up, { PORT: port }), new RegExp(`port ${port} is in use`));
  });

  test('another shop uses its folder', async () => {
    const running = startNode([soukCommand, ...up, '--http.port=0'], {
      cwd: scratchFolder(),
      env: { SOUK_DATA: shop.folder },
    });
    assert.equal((await running.exit).code, 1);
    assert.match(running.stderr(), new RegExp(`^souk: .* is in use by process ${shop.pid}.*\\n$`));
    assert.equal((await fetch(`${shop.url}/health/ready`)).status, 200);
  });

  test('its folder is of a newer version', async () => {
    const folder = scratchFolder();
    writeFileSync(join(folder, 'layout.json'), '{"layout":99,"id":"0000000000000000"}');
    failsPlainly(await souk(up, { SOUK_DATA: folder, PORT: '0' }), /was made by a newer souk/);
  });

  test('an unknown setting', async () => {
    failsPlainly(await souk([...up, '--http.prot=1']), /http\.port/);
  });

  test('an impossible setting', async () => {
    failsPlainly(await souk(up, { PORT: 'eighty' }), /http\.port.*'eighty'/);
  });

  test('an unknown option and an unknown command', async () => {
    failsPlainly(await souk([...up, '--fast']), /--fast/, 2);
    failsPlainly(await souk(['down']), /no command 'down'/, 2);
  });
});

/** Where nobody listens. */
async function closedPort(): Promise<number> {
  const closed = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => closed.once('listening', resolve));
  const { port } = closed.address() as { port: number };
  await new Promise((resolve) => closed.close(resolve));
  return port;
}

test('every command explains itself', async () => {
  const overview = await souk(['--help']);
  assert.equal(overview.code, 0);
  const commands = [...overview.stdout.matchAll(/^ {2}(\w+) {2}/gm)].map(([, name]) => name as string);
  assert.deepEqual(commands, [
    'up',
    'order',
    'status',
    'restart',
    'saga',
    'dlq',
    'projection',
    'resilience',
    'seed',
    'config',
    'demo',
    'serve',
  ]);
  const pages = await Promise.all(commands.map((name) => souk([name, '--help'])));
  for (const [index, { code, stdout }] of pages.entries()) {
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`Usage: souk ${commands[index]} `));
  }
});

test('the settings are shown without their secrets', async () => {
  const env = { SOUK_ADMIN_PASSWORD: 'do-not-show-me', DATABASE_URL: 'postgres://ada:nor-me@db.example/shop' };
  for (const args of [
    ['config', '--json'],
    ['config', '--explain'],
  ]) {
    const { code, stdout, stderr } = await souk(args, env);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /admin\.password/);
    assert.doesNotMatch(stdout, /do-not-show-me|nor-me/);
  }
});

test('an order can be watched, whatever becomes of it', async () => {
  const good = await souk(['order', '--url', shop.url]);
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stdout, /OrderPlaced[\s\S]*OrderConfirmed[\s\S]*✓ CONFIRMED/);
  const bad = await souk(['order', '--url', shop.url, '--token', 'tok_declined']);
  assert.equal(bad.code, 0, bad.stderr);
  assert.match(bad.stdout, /OrderRejected[\s\S]*rejected: CARD_DECLINED/);
  failsPlainly(await souk(['order', '--url', 'http://127.0.0.1:1']), /no shop answers at/);
});

test('the state of a running shop is shown', async () => {
  const { code, stdout } = await souk(['status', '--url', shop.url, '--json']);
  assert.equal(code, 0);
  assert.partialDeepStrictEqual(JSON.parse(stdout), { ready: true, sagasStuck: 0, deadLetters: 0, serverErrors: 0 });
  failsPlainly(await souk(['status', '--url', 'http://127.0.0.1:1']), /no shop answers at/);
});

test('products are added to a running shop, and to one that does not run', async () => {
  const first = await souk(['seed', '--products', '2000', '--url', shop.url], { SOUK_DATA: shop.folder });
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /1980 products made, 20 were there already/);
  const { exit, folder } = shop;
  shop.signal('SIGTERM');
  assert.equal((await exit).code, 0);
  assert.equal(postmasterOf(folder), undefined);
  const second = await souk(['seed', '--products', '2100'], { SOUK_DATA: folder, PORT: '1' });
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stdout, /100 products made, 2000 were there already/);
  assert.equal(postmasterOf(folder), undefined);
  assert.doesNotMatch(
    first.stdout + second.stdout,
    new RegExp(readFileSync(join(folder, 'operator-token'), 'utf8').trim()),
  );
  await endLeftBehind(folder);
  await shop.restart();
});

test('the password of the administrator is made up, and shown once', async () => {
  const cwd = scratchFolder();
  const open = async () => {
    const running = startNode([soukCommand, ...up, '--http.port=0', '--demo.products=0'], {
      cwd,
      env: { SOUK_DATA: join(cwd, 'data') },
    });
    await running.says(/npx souk status/);
    running.signal('SIGINT');
    assert.equal((await running.exit).code, 0);
    return running.stdout();
  };
  assert.match(await open(), /Administrator admin@souk\.local, password \S{16,} \(shown this once\)/);
  assert.doesNotMatch(await open(), /password/);
});

test('what keeps a shop from starting is said in a line: its database does not answer', async () => {
  const result = await deserted;
  failsPlainly(result, /no PostgreSQL answers at/);
  assert.doesNotMatch(result.stdout + result.stderr, /hush-hush/);
});
