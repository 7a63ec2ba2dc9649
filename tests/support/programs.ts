// Outside programs that are no brokers, for tests: each with a folder and ports of its own, so that any number run at once. They go with the
// test's process, also when it is killed.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Broker, createBroker } from './brokers.ts';
import type { Certificates } from './certificates.ts';
import { findServers, libraryEnvironment, type Servers } from './infra-servers.ts';
import { freePorts } from './leash.ts';

/** Started, stopped, killed and frozen as a broker is. */
export interface WebProgram extends Broker {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
}

export interface EtcdServer extends WebProgram {
  /** Forgets everything. It must not run. */
  wipe(): Promise<void>;
}

function pathOf(name: keyof Servers): string {
  const found = findServers()[name];
  if (found === undefined) throw new Error(`${name} is not on this machine: \`npm run test:infra\` fetches it`);
  return found;
}

/**
 * One member of etcd v3. Its elections are ten times as fast as usual, so that it is there at once and knows leases of a second.
 *
 * @param flags More of them, as `--quota-backend-bytes=...`.
 * @param tls It is reached by `https`, and wants a certificate of its clients.
 */
export async function etcdServer(flags: readonly string[] = [], tls?: Certificates): Promise<EtcdServer> {
  const command = pathOf('etcd');
  const folder = await mkdtemp(join(tmpdir(), 'souk-etcd-'));
  const [port = 0, peerPort = 0] = await freePorts(2);
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  const data = join(folder, 'data');
  const args = [
    ...['--data-dir', data, '--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ...['--initial-cluster', `default=${peerUrl}`, '--heartbeat-interval', '10', '--election-timeout', '100'],
    ...['--logger', 'zap', '--log-level', 'error', ...flags],
  ];
  if (tls !== undefined) {
    const { ca, cert, key } = tls.files;
    args.push('--cert-file', cert, '--key-file', key, '--client-cert-auth', '--trusted-ca-file', ca);
  }
  const server = createBroker(folder, port, { command, args, env: libraryEnvironment(command) }, 'SIGTERM');
  return {
    ...server,
    url,
    start: async () => {
      await server.start();
      // It takes connections before it has a leader.
      if (tls === undefined) await answersWith(`${url}/health`, /"true"/);
    },
    wipe: () => rm(data, { recursive: true, force: true }),
  };
}

/** @param config Of Prometheus, as an object: JSON is YAML. */
export async function prometheusServer(config: object): Promise<WebProgram> {
  const command = pathOf('prometheus');
  const folder = await mkdtemp(join(tmpdir(), 'souk-prometheus-'));
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const file = join(folder, 'prometheus.yml');
  await writeFile(file, JSON.stringify(config));
  const args = [
    ...[`--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'data')}`, '--log.level=warn'],
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const server = createBroker(folder, port, { command, args, env: libraryEnvironment(command) }, 'SIGTERM');
  return { ...server, url, start: () => server.start().then(() => answersWith(`${url}/-/ready`, /Ready/)) };
}

/** @param configure Gives HAProxy's configuration; what it listens on is `port`. */
export async function haproxyServer(configure: (port: number) => string): Promise<WebProgram> {
  const command = pathOf('haproxy');
  const folder = await mkdtemp(join(tmpdir(), 'souk-haproxy-'));
  const [port = 0] = await freePorts(1);
  const file = join(folder, 'haproxy.cfg');
  await writeFile(file, configure(port));
  const program = { command, args: ['-db', '-f', file], env: libraryEnvironment(command) };
  return { ...createBroker(folder, port, program, 'SIGTERM'), url: `http://127.0.0.1:${port}` };
}

/**
 * Asks a name server of this machine, once, for at most two seconds.
 *
 * @param words As on dig's command line: `['web.service.consul', 'SRV', '+short']`.
 * @returns what dig prints
 */
export async function dig(port: number, words: readonly string[]): Promise<string> {
  const command = pathOf('dig');
  const args = ['-r', '@127.0.0.1', '-p', String(port), '+tries=1', '+time=2', ...words];
  const { stdout } = await promisify(execFile)(command, args, { env: libraryEnvironment(command), timeout: 10_000 });
  return stdout;
}

async function answersWith(url: string, wanted: RegExp): Promise<void> {
  let said = '';
  for (const untilMs = Date.now() + 30_000; !wanted.test(said); ) {
    if (Date.now() > untilMs) throw new Error(`${url} is not ready: ${said}`);
    said = await fetch(url).then(
      (answer) => answer.text(),
      (error: Error) => error.message,
    );
    if (!wanted.test(said)) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
