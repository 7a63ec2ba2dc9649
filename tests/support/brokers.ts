// Real brokers for suites of adapters, each with a folder and ports of its own, so that any number run at once. They go with the test's
// process, also when it is killed.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { erlangEnvironment, findServers } from './infra-servers.ts';
import { freePorts, leash } from './leash.ts';

export interface Broker {
  readonly port: number;
  /** Starts it, or starts it again on the same data and port. Resolves when it takes connections. */
  start(): Promise<void>;
  /** As its operator would. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP, and on. Resolves when the last thread stands still. */
  freeze(frozen: boolean): Promise<void>;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

export interface RabbitmqBroker extends Broker {
  /** Evaluates an Erlang function call in the node: module, function, list of arguments. */
  evaluate(module: string, name: string, args: string): Promise<string>;
}

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
}

const missing = 'is not on this machine: `npm run test:infra` fetches it';

/** nats-server with JetStream; users, when there are any, sign in by password. */
export async function natsBroker(users: Readonly<Record<string, string>> = {}): Promise<Broker> {
  const { nats } = findServers();
  if (nats === undefined) throw new Error(`nats-server ${missing}`);
  const folder = await mkdtemp(join(tmpdir(), 'souk-nats-'));
  const [port = 0] = await freePorts(1);
  const config = join(folder, 'server.conf');
  const list = Object.entries(users).map(([user, password]) => `{ user: "${user}", password: "${password}" }`);
  await writeFile(
    config,
    [
      `listen: "127.0.0.1:${port}"`,
      `jetstream { store_dir: "${join(folder, 'data')}" }`,
      list.length === 0 ? '' : `authorization { users: [${list.join(', ')}] }`,
    ].join('\n'),
  );
  const program = { command: nats, args: ['-c', config], env: {} };
  return createBroker(folder, port, program, 'SIGINT');
}

/** A RabbitMQ node without plugins. Takes some seconds to start: one for a test file. */
export async function rabbitmqBroker(): Promise<RabbitmqBroker> {
  const { erlang, rabbitmq } = findServers();
  if (erlang === undefined || rabbitmq === undefined) throw new Error(`RabbitMQ ${missing}`);
  const folder = await mkdtemp(join(tmpdir(), 'souk-rabbitmq-'));
  const [port = 0, epmdPort = 0, distributionPort = 0] = await freePorts(3);
  const node = `souk-${process.pid}-${port}@localhost`;
  await writeFile(join(folder, 'rabbitmq.conf'), 'log.console.level = warning\ndisk_free_limit.absolute = 10MB\n');
  await writeFile(join(folder, 'plugins'), '[].');
  const env: Record<string, string> = {
    ...erlangEnvironment(erlang),
    HOME: folder,
    LANG: 'C.UTF-8',
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_LIBS: join(rabbitmq, 'plugins'),
    RABBITMQ_HOME: rabbitmq,
    RABBITMQ_PLUGINS_DIR: join(rabbitmq, 'plugins'),
    RABBITMQ_NODENAME: node,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_LOGS: '-',
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'config'),
    RABBITMQ_SCHEMA_DIR: join(folder, 'schema'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
    SYS_PREFIX: '',
  };
  const bin = env.BINDIR ?? '';
  const args = [
    ...['-noinput', '-boot', 'start_sasl', '-s', 'rabbit', 'boot', '-start_epmd', 'false'],
    // Two nodes on two cores must not spin while they wait.
    ...['+W', 'w', '+S', '2:2', '+sbwt', 'none', '+sbwtdcpu', 'none', '+sbwtdio', 'none'],
    ...['-kernel', 'prevent_overlapping_partitions', 'false'],
    ...['-syslog', 'logger', '[]', '-syslog', 'syslog_error_logger', 'false'],
  ];
  // Erlang's name service would stay behind as a daemon; so it is ours.
  const helper = { command: join(bin, 'epmd'), args: ['-port', String(epmdPort)], env };
  const program = { command: join(bin, 'erlexec'), args, env };
  const broker = createBroker(folder, port, program, 'SIGTERM', helper);
  return {
    ...broker,
    evaluate: async (module, name, list) => {
      const cookie = await readFile(join(folder, '.erlang.cookie'), 'utf8');
      const call = ['-sname', node, '-c', cookie.trim(), '-a', `${module} ${name} ${list}`];
      const { stdout } = await promisify(execFile)(join(erlang, 'bin', 'erl_call'), call, { env });
      return stdout;
    },
  };
}

/**
 * A program that listens on a port of this machine, and all its needs in a folder.
 *
 * @param stop What its operator would send.
 * @param helper Runs beside it, from its first start on.
 */
export function createBroker(
  folder: string,
  port: number,
  program: Program,
  stop: NodeJS.Signals,
  helper?: Program,
): Broker {
  const held = leash(folder);
  let helping: ChildProcess | undefined;
  let running: ChildProcess | undefined;
  let printed = '';
  const hold = () =>
    held.hold([running, helping].map((child) => child?.pid).filter((pid): pid is number => pid !== undefined));
  const launch = ({ command, args, env }: Program): ChildProcess => {
    const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => {
        printed = (printed + text).slice(-4000);
      });
    }
    child.unref();
    return child;
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const child = running;
    running = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.ref();
    child.kill(signal);
    await gone;
    hold();
  };
  return {
    port,
    start: async () => {
      if (helper !== undefined) helping ??= launch(helper);
      const child = launch(program);
      running = child;
      hold();
      for (const untilMs = Date.now() + 60_000; !(await answers(port)); ) {
        if (child.exitCode !== null || child.signalCode !== null || Date.now() > untilMs) {
          throw new Error(`${program.command} did not start:\n${printed}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    stop: () => end(stop),
    kill: () => end('SIGKILL'),
    freeze: async (frozen) => {
      running?.kill(frozen ? 'SIGSTOP' : 'SIGCONT');
      while (frozen && running?.pid !== undefined && !(await standsStill(running.pid))) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    close: async () => {
      await end('SIGKILL');
      await held.release();
    },
  };
}

/** The signal is only on its way when `kill` returns; a server of many threads may answer meanwhile. */
async function standsStill(pid: number): Promise<boolean> {
  const tasks = `/proc/${pid}/task`;
  const stats = await Promise.all((await readdir(tasks)).map((task) => readFile(join(tasks, task, 'stat'), 'utf8')));
  return stats.every((stat) => stat.slice(stat.lastIndexOf(')') + 2).startsWith('T'));
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
