import { systemRuntime } from '@souk/kernel';
import type { Command, Given } from '../cli/command.ts';
import { type Terminal, terminal } from '../cli/terminal.ts';
import { readExposition } from '../client/exposition.ts';
import { createShopClient } from '../client/shop-client.ts';
import { processTable } from '../drawing/process-table.ts';
import { appErrors } from '../errors.ts';
import { loadShopSettings } from '../load-shop-settings.ts';
import { readProcesses } from '../topology/find-control.ts';

export const statusCommand: Command = {
  name: 'status',
  summary: 'Show how a running shop is doing',
  usage: '[--watch] [--url <url>] [--json]',
  help: [
    ['--watch', 'Look again every two seconds, until Ctrl-C.'],
    ['--url <url>', 'Where the shop is. Default: this machine, at the port of the settings.'],
    ['--json', 'For machines.'],
  ],
  options: { watch: { type: 'boolean' }, url: { type: 'string' }, json: { type: 'boolean' } },
  takesSettings: true,
  run: async (given) => {
    const { values, env, folder } = await loadShopSettings(given.settings);
    const out = terminal(env);
    const { timers } = systemRuntime();
    for (;;) {
      if (given.options.watch === true) out.clear();
      const code = await show(out, folder, given, values.http.port);
      if (given.options.watch !== true) return code;
      // Timers of ours do not keep a process alive.
      const alive = setInterval(() => {}, 2 ** 30);
      await timers.sleep(LOOK_EVERY_MS);
      clearInterval(alive);
    }
  },
};

const LOOK_EVERY_MS = 2000;

/** @returns the exit code */
async function show(out: Terminal, folder: string, given: Given, port: number): Promise<number> {
  const processes = await readProcesses(folder);
  const client = createShopClient(String(given.options.url ?? processes?.shopUrl ?? `http://127.0.0.1:${port}`));
  const ready = await isReady(client.url);
  // In a split shop each process has metrics of its own: those of all are added up.
  const urls = processes?.processes.flatMap(({ url }) => url ?? []) ?? [client.url];
  const figures = readExposition((await Promise.all(urls.map(metricsOf))).join('\n'));
  const facts = {
    url: client.url,
    ready,
    uptimeSeconds: Math.round(Date.now() / 1000 - figures.sum('process_start_time_seconds') / Math.max(1, urls.length)),
    residentMb: Math.round(figures.sum('process_resident_memory_bytes') / 2 ** 20),
    requests: figures.sum('http_requests_total'),
    serverErrors: figures.sum('http_requests_total', ({ status = '' }) => status.startsWith('5')),
    orders: figures.by('business_events_total', 'event'),
    sagasRunning: figures.sum('souk_sagas_running'),
    sagasStuck: figures.sum('souk_sagas_stuck'),
    outboxPending: figures.sum('souk_outbox_pending'),
    deadLetters: figures.sum('souk_dlq_depth'),
    ...(processes && { processes: processes.processes }),
  };
  if (given.options.json === true) {
    out.say(JSON.stringify(facts, null, 2));
    return ready ? 0 : 1;
  }
  out.say(
    `${ready ? out.green('ready') : out.red('not ready')}  ${facts.url}  up ${facts.uptimeSeconds} s, ${facts.residentMb} MB`,
  );
  out.say(`requests ${facts.requests}, failed on our side ${facts.serverErrors}`);
  out.say(
    `sagas running ${facts.sagasRunning}, stuck ${facts.sagasStuck}; outbox ${facts.outboxPending}, dead letters ${facts.deadLetters}`,
  );
  if (facts.sagasStuck > 0) out.say(`${out.red('!')} npx souk saga list --status STUCK`);
  if (facts.deadLetters > 0) out.say(`${out.red('!')} npx souk dlq groups`);
  for (const [event, count] of Object.entries(facts.orders)) if (count > 0) out.say(`  ${event.padEnd(24)} ${count}`);
  if (processes) {
    out.say('');
    for (const line of processTable(processes.processes, { width: out.width, palette: out })) out.say(line);
  }
  return ready ? 0 : 1;
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`)).ok;
  } catch (cause) {
    throw appErrors.NOT_RUNNING({ url }, { cause });
  }
}

/** Of a process that leaves while it is looked at there is nothing to add. */
const metricsOf = async (url: string): Promise<string> => {
  try {
    return await (await fetch(`${url}/metrics`)).text();
  } catch {
    return '';
  }
};
