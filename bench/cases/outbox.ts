import { brokers } from '../lib/brokers.ts';
import { type BenchServer, runScript, startServer } from '../lib/engines.ts';
import { alone, type Result } from '../lib/result.ts';
import type { Bench } from '../main.ts';
import type { OutboxOrder, OutboxReport } from '../peers/outbox/souk.ts';

const RUNS = 5;

export const outbox: Bench = {
  summary:
    'an event from the commit of its publisher to its handler, and events per second through outbox and inbox, on each transport',
  run: async ({ quick, note }) => {
    const server = await startServer();
    const running = await brokers(note);
    try {
      const reports = new Map<string, OutboxReport[]>();
      const transports = new Map([['in-process', ''], ['postgres', ''], ...running.urls]);
      for (let run = 1; run <= (quick ? 1 : RUNS); run++) {
        for (const [transport, url] of transports) {
          const report = await once(server, transport, url, quick);
          reports.set(transport, [...(reports.get(transport) ?? []), report]);
          const { p50, p99 } = report.latenciesMs;
          note(
            `run ${run} ${transport.padEnd(10)} p50 ${p50.toFixed(2)} p99 ${p99.toFixed(2)} ms, ${report.perSecond.toFixed(0)}/s`,
          );
        }
      }
      return [...reports].flatMap(([transport, list]) => figures(transport, list));
    } finally {
      await running.close();
      await server.stop();
    }
  },
};

/** One process that publishes and handles. @throws when an event was lost or had its effect twice */
export async function once(server: BenchServer, transport: string, url: string, quick: boolean): Promise<OutboxReport> {
  const order: OutboxOrder = {
    transport: url === '' ? transport : url,
    busUrl: await server.urlOf('outbox-bus'),
    publisherUrl: await server.urlOf(`outbox-publisher-${transport}`),
    consumerUrl: await server.urlOf(`outbox-consumer-${transport}`),
    perSecond: 100,
    seconds: quick ? 3 : 10,
    burst: quick ? 3_000 : 20_000,
    writers: 32,
  };
  const report = await runScript<OutboxReport>('outbox/souk', order);
  if (report.violations.length > 0)
    throw new Error(`${transport} lost or doubled work: ${report.violations.join('; ')}`);
  return report;
}

const figures = (transport: string, reports: readonly OutboxReport[]): Result[] => [
  alone(
    'outbox',
    transport,
    'p50_ms',
    'ms',
    reports.map(({ latenciesMs }) => latenciesMs.p50),
  ),
  alone(
    'outbox',
    transport,
    'p99_ms',
    'ms',
    reports.map(({ latenciesMs }) => latenciesMs.p99),
  ),
  alone(
    'outbox',
    transport,
    'messages_per_second',
    '1/s',
    reports.map(({ perSecond }) => perSecond),
  ),
];
