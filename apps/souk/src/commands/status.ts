import type { Command } from '../cli/command.ts';
import { terminal } from '../cli/terminal.ts';
import { readExposition } from '../client/exposition.ts';
import { createShopClient } from '../client/shop-client.ts';
import { appErrors } from '../errors.ts';
import { loadShopSettings } from '../load-shop-settings.ts';

export const statusCommand: Command = {
  name: 'status',
  summary: 'Show how a running shop is doing',
  usage: '[--url <url>] [--json]',
  help: [
    ['--url <url>', 'Where the shop is. Default: this machine, at the port of the settings.'],
    ['--json', 'For machines.'],
  ],
  options: { url: { type: 'string' }, json: { type: 'boolean' } },
  takesSettings: true,
  run: async (given) => {
    const { values, env } = await loadShopSettings(given.settings);
    const out = terminal(env);
    const client = createShopClient(String(given.options.url ?? `http://127.0.0.1:${values.http.port}`));
    const ready = await isReady(client.url);
    const figures = readExposition(await text(`${client.url}/metrics`));
    const facts = {
      url: client.url,
      ready,
      uptimeSeconds: Math.round(Date.now() / 1000 - figures.sum('process_start_time_seconds')),
      residentMb: Math.round(figures.sum('process_resident_memory_bytes') / 2 ** 20),
      requests: figures.sum('http_requests_total'),
      serverErrors: figures.sum('http_requests_total', ({ status = '' }) => status.startsWith('5')),
      orders: figures.by('business_events_total', 'event'),
      sagasRunning: figures.sum('souk_sagas_running'),
      sagasStuck: figures.sum('souk_sagas_stuck'),
      outboxPending: figures.sum('souk_outbox_pending'),
      deadLetters: figures.sum('souk_dlq_depth'),
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
    return ready ? 0 : 1;
  },
};

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`)).ok;
  } catch (cause) {
    throw appErrors.NOT_RUNNING({ url }, { cause });
  }
}

const text = async (url: string): Promise<string> => (await fetch(url)).text();
