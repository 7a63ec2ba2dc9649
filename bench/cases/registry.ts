import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type HeldReader, heldReader } from '../lib/held-read.ts';
import { closedLoop, createLoadClient, type LoadClient } from '../lib/load.ts';
import { alone, percentile, type Result } from '../lib/result.ts';
import type { Bench } from '../main.ts';

const REGISTRY = fileURLToPath(new URL('../../apps/registry/src/main.ts', import.meta.url));
const START_LIMIT_MS = 30_000;
const PER_SERVICE = 10;

export const registry: Bench = {
  summary: 'a full registry: from a change to the last of its watchers, requests per second, and memory',
  run: async ({ quick, note }): Promise<Result[]> => {
    const size = quick
      ? { instances: 1000, watchers: 100, changes: 5, seconds: 0.5, runs: 1 }
      : { instances: 10_000, watchers: 1000, changes: 50, seconds: 5, runs: 3 };
    const figures = { p50: [] as number[], p99: [] as number[], reads: [] as number[], beats: [] as number[] };
    const memory: number[] = [];
    for (let run = 1; run <= size.runs; run++) {
      const running = await startRegistry();
      try {
        const client = createLoadClient(running.url, 64);
        await fill(client, size.instances);
        const delays = await spread(running.url, client, size.watchers, size.changes);
        figures.p50.push(percentile(delays, 0.5));
        figures.p99.push(percentile(delays, 0.99));
        const ids = size.instances;
        figures.reads.push(await rate(size.seconds, () => send(client, 'GET', '/v1/health/service/service-1?passing')));
        figures.beats.push(
          await rate(size.seconds, (round) => send(client, 'PUT', `/v1/agent/check/pass/service:i${round % ids}`)),
        );
        memory.push(await running.residentMb());
        client.close();
      } finally {
        await running.stop();
      }
      note(`run ${run}: p50 ${figures.p50.at(-1)?.toFixed(1)} ms, p99 ${figures.p99.at(-1)?.toFixed(1)} ms`);
    }
    const name = `${size.instances}-instances-${size.watchers}-watchers`;
    return [
      alone('registry', name, 'change_to_last_watcher_p50', 'ms', figures.p50),
      alone('registry', name, 'change_to_last_watcher_p99', 'ms', figures.p99),
      alone('registry', name, 'reads_of_10_instances', '1/s', figures.reads),
      alone('registry', name, 'heartbeats', '1/s', figures.beats),
      alone('registry', name, 'rss_mb', 'MiB', memory),
    ];
  },
};

interface RunningRegistry {
  readonly url: string;
  residentMb(): Promise<number>;
  stop(): Promise<void>;
}

async function startRegistry(): Promise<RunningRegistry> {
  const child = spawn(
    process.execPath,
    [REGISTRY, 'agent', '-dev', '-http-port=0', '-dns-port=-1', '--registry.max-connections-per-client=100000'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`the registry did not start:\n${output}`)), START_LIMIT_MS);
    const hear = (chunk: Buffer): void => {
      output += chunk.toString();
      const found = /^(http:\/\/\S+)$/m.exec(output)?.[1];
      if (found === undefined) return;
      clearTimeout(limit);
      resolve(found);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', (code) => reject(new Error(`the registry ended with ${code}:\n${output}`)));
  });
  return {
    url,
    residentMb: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    },
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function send(client: LoadClient, method: string, path: string, body?: unknown): Promise<string> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const answer = await client.send({ method, path, ...(text === undefined ? {} : { body: text }) });
  if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
  return answer.body;
}

const instance = (at: number, port: number) => ({
  ...{
    ID: `i${at}`,
    Name: `service-${Math.floor(at / PER_SERVICE)}`,
    Address: `10.0.${at >> 8}.${at & 255}`,
    Port: port,
  },
  ...{ Tags: ['bench'], Meta: { zone: `z${at % 3}`, version: '1.0.0' }, Check: { TTL: '1h', Status: 'passing' } },
});

async function fill(client: LoadClient, count: number): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const at = next++;
      await send(client, 'PUT', '/v1/agent/service/register', instance(at, 80));
    }
  };
  await Promise.all(Array.from({ length: 64 }, worker));
  const services = JSON.parse(await send(client, 'GET', '/v1/agent/services')) as object;
  if (Object.keys(services).length !== count) throw new Error(`${Object.keys(services).length} of ${count} are listed`);
}

/**
 * Every watcher holds a read of one service. Then an instance of it changes.
 * @returns milliseconds from sending each change until the last watcher had all of its answer
 */
async function spread(url: string, client: LoadClient, watchers: number, changes: number): Promise<number[]> {
  const path = '/v1/health/service/service-0';
  const readers: HeldReader[] = [];
  for (let made = 0; made < watchers; made++) readers.push(await heldReader(url));
  const delays: number[] = [];
  let { index } = await (readers[0] as HeldReader).read(path);
  for (let change = 1; change <= changes; change++) {
    const held = readers.map((reader) => reader.read(`${path}?index=${index}&wait=60s`));
    await settled(client, watchers);
    const beganMs = performance.now();
    const [answers] = await Promise.all([
      Promise.all(held),
      send(client, 'PUT', '/v1/agent/service/register', instance(0, 8000 + change)),
    ]);
    delays.push(performance.now() - beganMs);
    const wanted = `"Port":${8000 + change},`;
    if (!answers.every(({ body }) => body.includes(wanted))) throw new Error('a watcher was told something else');
    index = answers[0]?.index ?? 0;
  }
  for (const reader of readers) reader.close();
  return delays;
}

/** Until so many reads wait. */
async function settled(client: LoadClient, watchers: number): Promise<void> {
  for (;;) {
    const page = await send(client, 'GET', '/v1/agent/metrics?format=prometheus');
    if (Number(/^souk_registry_waiters\S* (\d+)$/m.exec(page)?.[1]) === watchers) return;
  }
}

async function rate(seconds: number, work: (round: number) => Promise<unknown>): Promise<number> {
  let round = 0;
  const { perSecond } = await closedLoop({
    ...{ workers: 64, warmUpSeconds: seconds / 5, seconds },
    work: async () => void (await work(round++)),
  });
  return perSecond;
}
