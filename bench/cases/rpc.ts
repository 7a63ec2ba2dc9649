import { type Certificates, makeCertificates } from '../lib/certificates.ts';
import type { RpcOrder } from '../lib/echo.ts';
import type { Report } from '../lib/engines.ts';
import { alone, beside, type Result } from '../lib/result.ts';
import { type RunningServer, runRpcClient, startRpcServer } from '../lib/rpc-race.ts';
import type { Bench } from '../main.ts';

/** Scripts under `peers/rpc/`, ours first. */
const ENGINES = ['souk', 'bare', 'grpc-js', 'connect-node', 'moleculer'] as const;
/** moleculer's TCP transporter knows no TLS. */
const WITH_TLS = ['souk', 'bare', 'grpc-js', 'connect-node'] as const;
const STREAMS = 8;

interface Pace {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly concurrencies: readonly number[];
}

type Note = (line: string) => void;

export const rpc: Bench = {
  summary:
    'calls per second between two processes, plain and with mutual TLS, beside grpc-js, connect-node, moleculer and bare HTTP',
  run: async ({ quick, note }) => {
    const pace = quick
      ? { rounds: 1, seconds: 0.5, warmUpSeconds: 1, concurrencies: [1, 64] }
      : { rounds: 3, seconds: 2, warmUpSeconds: 2, concurrencies: [1, 64, 512] };
    return [
      ...(await unary(ENGINES, undefined, pace, note)),
      ...(await unary(WITH_TLS, makeCertificates(), pace, note)),
      ...(await inProcess(pace, note)),
      ...(await streams(pace, note)),
    ];
  },
};

async function unary(
  engines: readonly string[],
  tls: Certificates | undefined,
  pace: Pace,
  note: Note,
): Promise<Result[]> {
  const servers = await startAll(engines, tls);
  try {
    const results: Result[] = [];
    for (const concurrency of pace.concurrencies) {
      const name = `c${concurrency}${tls === undefined ? '' : '-mtls'}`;
      const reports = await inTurns(engines, pace, async (engine, round) => {
        const { port } = servers.get(engine) as RunningServer;
        const report = await runRpcClient(engine, orderOf('client', port, concurrency, pace, tls));
        tell(note, `${name} round ${round}`, engine, report);
        return report;
      });
      results.push(...compare(name, reports));
    }
    return results;
  } finally {
    await Promise.all([...servers.values()].map((server) => server.stop()));
  }
}

/** Microseconds per call, one after the other. */
async function inProcess(pace: Pace, note: Note): Promise<Result[]> {
  const reports = await inTurns(['in-process'], pace, async (engine, round) => {
    const report = await runRpcClient(engine, orderOf('client', 0, 1, pace, undefined));
    tell(note, `in-process round ${round}`, engine, report);
    return report;
  });
  const micros = (reports.get('in-process') ?? []).map(({ perSecond }) => 1_000_000 / perSecond);
  return [alone('rpc', 'in-process', 'us_per_call', 'us', micros)];
}

/** Messages of server streams over gRPC; the client is grpc-js on both sides of the comparison. */
async function streams(pace: Pace, note: Note): Promise<Result[]> {
  const servers = new Map([
    ['souk', await startRpcServer('souk', { role: 'stream' })],
    ['grpc-js', await startRpcServer('grpc-js', {})],
  ]);
  try {
    const reports = await inTurns([...servers.keys()], pace, async (engine, round) => {
      const { port } = servers.get(engine) as RunningServer;
      const report = await runRpcClient('grpc-js', orderOf('stream', port, STREAMS, pace, undefined));
      tell(note, `stream round ${round}`, engine, report);
      return report;
    });
    const perSecond = (engine: string) => (reports.get(engine) ?? []).map((report) => report.perSecond);
    const ours = alone('rpc', 'stream', 'messages_per_second', '1/s', perSecond('souk'));
    return [beside(ours, 'grpc-js', perSecond('grpc-js'), 'higher')];
  } finally {
    await Promise.all([...servers.values()].map((server) => server.stop()));
  }
}

async function startAll(
  engines: readonly string[],
  tls: Certificates | undefined,
): Promise<Map<string, RunningServer>> {
  const servers = new Map<string, RunningServer>();
  try {
    for (const engine of engines) servers.set(engine, await startRpcServer(engine, tls === undefined ? {} : { tls }));
    return servers;
  } catch (error) {
    await Promise.all([...servers.values()].map((server) => server.stop()));
    throw error;
  }
}

async function inTurns(
  engines: readonly string[],
  { rounds }: Pace,
  run: (engine: string, round: number) => Promise<Report>,
): Promise<Map<string, Report[]>> {
  const reports = new Map<string, Report[]>(engines.map((engine) => [engine, []]));
  for (let round = 1; round <= rounds; round++)
    for (const engine of engines) reports.get(engine)?.push(await run(engine, round));
  return reports;
}

const orderOf = (
  role: RpcOrder['role'],
  port: number,
  concurrency: number,
  { seconds, warmUpSeconds }: Pace,
  tls: Certificates | undefined,
): RpcOrder => ({ role, port, concurrency, seconds, warmUpSeconds, ...(tls && { tls }) });

/** @throws when nothing was answered in the measured time: there is no figure then */
function tell(note: Note, what: string, engine: string, { perSecond, latenciesMs: { p50, p99 } }: Report): void {
  if (perSecond === 0) throw new Error(`${what}: no call of ${engine} was answered in time`);
  note(
    `${what} ${engine.padEnd(12)} ${perSecond.toFixed(0).padStart(8)}/s  p50 ${p50.toFixed(3)} p99 ${p99.toFixed(3)} ms`,
  );
}

function compare(name: string, reports: ReadonlyMap<string, readonly Report[]>): Result[] {
  const [own = '', ...peers] = reports.keys();
  const metrics = [
    { metric: 'calls_per_second', unit: '1/s', better: 'higher', of: (report: Report) => report.perSecond },
    { metric: 'p50_ms', unit: 'ms', better: 'lower', of: (report: Report) => report.latenciesMs.p50 },
    { metric: 'p99_ms', unit: 'ms', better: 'lower', of: (report: Report) => report.latenciesMs.p99 },
  ] as const;
  return metrics.flatMap(({ metric, unit, better, of }) => {
    const figures = (engine: string) => (reports.get(engine) ?? []).map(of);
    const ours = alone('rpc', name, metric, unit, figures(own));
    return peers.map((peer) => beside(ours, peer, figures(peer), better));
  });
}
