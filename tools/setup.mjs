// Makes a fresh clone ready: installs the locked packages when they are missing or older than package-lock.json, and sees to it
// that `node` in the npm scripts is new enough. Every npm script runs it first, so it must run on any Node from 18 on, needs no
// package, and is done in a few milliseconds when there is nothing to do.
//
// I1 the stamp is written last: an interrupted install is begun anew.   I2 one set-up at a time: a second one waits for the first.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = resolve(process.env.SOUK_SETUP_ROOT ?? join(dirname(fileURLToPath(import.meta.url)), '..'));
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.souk-setup.json');
const lockFile = join(root, '.souk', 'setup.lock');
const logFile = join(root, '.souk', 'setup.log');
const runtime = join(modules, '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
const needed = [24, 17];
const platform = `${process.platform}-${process.arch}`;

class SetupError extends Error {}

const readJson = (path) => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
};

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const isNewEnough = (version) => {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return major > needed[0] || (major === needed[0] && minor >= needed[1]);
};

function lockHash() {
  const path = join(root, 'package-lock.json');
  if (!existsSync(path))
    throw new SetupError('package-lock.json is missing: get it back with "git checkout package-lock.json"');
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

const isStamped = (hash) => {
  const stamp = readJson(stampFile);
  return stamp?.lock === hash && stamp.platform === platform && (stamp.runtime !== 'packaged' || existsSync(runtime));
};

// What npm itself noted about node_modules; equal to the lockfile after an `npm install` by hand, which then need not be repeated.
function isInstalledByHand() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages;
  const there = readJson(join(modules, '.package-lock.json'))?.packages;
  if (wanted === undefined || there === undefined) return false;
  const same = Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes('node_modules/')) return true;
    const found = there[path];
    return found === undefined
      ? entry.optional === true
      : found.version === entry.version && existsSync(join(root, path));
  });
  return same && Object.keys(there).every((path) => path in wanted);
}

/** Shows a phase as it runs: a line that counts seconds on a terminal, else a line at its start and one at its end. */
function startPhase(text) {
  const begun = Date.now();
  const seconds = () => ((Date.now() - begun) / 1000).toFixed(1);
  const isLive = process.stderr.isTTY === true;
  const frames = ['|', '/', '-', '\\'];
  let frame = 0;
  const draw = () => process.stderr.write(`\r\x1b[2Ksetup: ${text} ${frames[frame++ % frames.length]} ${seconds()} s`);
  if (!isLive) process.stderr.write(`setup: ${text} ...\n`);
  const timer = setInterval(
    isLive ? draw : () => process.stderr.write(`setup: ${text} ... ${seconds()} s\n`),
    isLive ? 120 : 20_000,
  );
  return (result) => {
    clearInterval(timer);
    process.stderr.write(`${isLive ? '\r\x1b[2K' : ''}setup: ${result} (${seconds()} s)\n`);
  };
}

const isAlive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
};

/** Resolves to a function that gives the lock back. A lock whose process is gone is taken over. */
async function takeLock() {
  const mine = JSON.stringify({ pid: process.pid, since: Date.now() });
  mkdirSync(dirname(lockFile), { recursive: true });
  let endWait;
  for (;;) {
    try {
      writeFileSync(lockFile, mine, { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = readJson(lockFile);
    if (holder?.pid !== undefined && isAlive(holder.pid)) {
      endWait ??= startPhase(`waiting for the set-up that process ${holder.pid} runs`);
      await sleep(200);
      continue;
    }
    // Give a holder that is just writing its file, and another one taking over, time to show itself.
    await sleep(100);
    if (JSON.stringify(readJson(lockFile)) === JSON.stringify(holder)) rmSync(lockFile, { force: true });
    await sleep(process.pid % 50);
  }
  endWait?.('the other set-up has ended');
  return () => {
    if (readJson(lockFile)?.pid === process.pid) rmSync(lockFile, { force: true });
  };
}

/** Runs the npm that called us, else the one on the path; never the `node` that `npm ci` is about to remove. */
function npm(args) {
  const bin = join(modules, '.bin');
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => resolve(entry) !== bin);
  const env = { ...process.env, PATH: path.join(delimiter), npm_config_loglevel: 'error' };
  const { npm_execpath: cli, npm_node_execpath: node } = process.env;
  const options = { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] };
  return cli?.endsWith('.js') && existsSync(cli) && node !== undefined && existsSync(node)
    ? spawn(node, [cli, ...args], options)
    : spawn('npm', args, { ...options, shell: process.platform === 'win32' });
}

const hints = [
  [
    /ENOTFOUND|ECONNREFUSED|ETIMEDOUT|ECONNRESET|EAI_AGAIN|ENETUNREACH|ERR_SOCKET|network/,
    'the package registry cannot be reached: check the network or "npm config get registry", then run the command again',
  ],
  [/ENOSPC/, 'the disk is full: free about 500 MB, then run the command again'],
  [
    /EACCES|EPERM|EROFS/,
    `node_modules cannot be written: make ${root} writable for this user, then run the command again`,
  ],
  [/EUSAGE|in sync/, 'package.json and package-lock.json disagree: run "npm install" and commit the lockfile'],
  [
    /EINTEGRITY/,
    'a downloaded package differs from the lockfile: run "npm cache clean --force", then run the command again',
  ],
  [/E401|E403|E404|ETARGET/, 'the registry does not hand out a locked package: check "npm config get registry"'],
];

async function install() {
  const endPhase = startPhase('installing the locked packages');
  const child = npm([
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-progress',
    '--prefer-offline',
    '--include=dev',
    '--include=optional',
    '--fetch-retry-mintimeout=1000',
    '--fetch-retry-maxtimeout=8000',
  ]);
  let said = '';
  child.stdout.on('data', (chunk) => (said += chunk));
  child.stderr.on('data', (chunk) => (said += chunk));
  let interrupted = false;
  // npm would finish its downloads first; half an install is no harm, since the stamp is missing.
  const stop = () => {
    interrupted = true;
    child.kill('SIGKILL');
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop);
  const code = await new Promise((done) => {
    child.on('error', (error) => done(error.code ?? 'error'));
    child.on('close', (status, signal) => done(signal ?? status));
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeListener(signal, stop);
  if (code === 0) return endPhase('packages are installed');
  endPhase('the packages could not be installed');
  if (code === 'ENOENT')
    throw new SetupError(
      'npm is not on the path: install Node.js with npm from https://nodejs.org, then run the command again',
    );
  if (interrupted || (typeof code === 'string' && code.startsWith('SIG')))
    throw new SetupError('interrupted: run the command again to go on');
  writeFileSync(logFile, said);
  const hint =
    hints.find(([pattern]) => pattern.test(said))?.[1] ?? `npm ci ended with ${code}: run "npm ci" to see why`;
  throw new SetupError(`${hint} (what npm said: ${logFile})`);
}

const canRun = () => existsSync(runtime) || isNewEnough(process.version);

/** Which `node` the scripts will find, and whether it will do. */
function checkRuntime() {
  const own = isNewEnough(process.version);
  const want = `Node.js ${needed.join('.')} or newer`;
  if (!existsSync(runtime)) {
    if (own) return 'installed';
    throw new SetupError(
      `there is no packaged runtime for ${platform} and this is Node.js ${process.version}: install ${want} from https://nodejs.org`,
    );
  }
  const asked = spawnSync(runtime, ['--version'], { encoding: 'utf8', shell: process.platform === 'win32' });
  if (asked.status === 0 && isNewEnough(asked.stdout.trim())) return 'packaged';
  const why =
    asked.status === 0
      ? `is ${asked.stdout.trim()}`
      : `does not run here (${asked.error?.code ?? (asked.stderr ?? '').split('\n')[0]})`;
  if (!own || process.execPath.startsWith(modules))
    throw new SetupError(`the packaged runtime ${why}: install ${want} from https://nodejs.org`);
  rmSync(runtime, { force: true }); // else the scripts would find the one that cannot run
  return 'installed';
}

async function main() {
  if (isStamped(lockHash())) return;
  const giveBack = await takeLock();
  try {
    const hash = lockHash();
    if (isStamped(hash)) return;
    if (!isInstalledByHand() || !canRun()) await install();
    const stamp = { lock: hash, platform, runtime: checkRuntime() };
    writeFileSync(`${stampFile}.new`, `${JSON.stringify(stamp)}\n`);
    renameSync(`${stampFile}.new`, stampFile);
  } finally {
    giveBack();
  }
}

main().catch((error) => {
  const hint = error instanceof SetupError ? undefined : hints.find(([pattern]) => pattern.test(error.code ?? ''))?.[1];
  process.stderr.write(`setup: ${hint ?? error.message}\n`);
  process.exitCode = 1;
});
