import process from 'node:process';
import { readEnvironment } from '@souk/config';
import { type Command, wholeNumber } from '../../cli/command.ts';
import { type Terminal, terminal } from '../../cli/terminal.ts';
import { createShopClient } from '../../client/shop-client.ts';
import { calm, othersDown, providerDown, tooManySearches } from '../../demo/acts.ts';
import { audit } from '../../demo/audit.ts';
import { createCustomers, signIn } from '../../demo/customers.ts';
import { createStage } from '../../demo/stage.ts';
import { startThrowawayShop } from '../../demo/throwaway-shop.ts';
import { appErrors } from '../../errors.ts';

/** A door that one machine can be too much for; otherwise as it is by default. */
const DOOR = {
  shed: {
    limit: { initial: 4, min: 4, max: 4 },
    queueFactor: 4,
    queueTimeoutMs: 1000,
    overloadAfterMs: 500,
    overloadWaitMs: 300,
  },
};
/** Milliseconds until breakers probe for the first time, as by default. */
const OPEN_MS = { call: 5000, http: 2000 };
const FASTEST = 20;

export const demoResilienceCommand: Command = {
  name: 'demo resilience',
  summary: 'Take the payment provider away, take services away, send too many searches, and audit what is left',
  usage: '[--speed <n>] [--section.name=value ...]',
  help: [
    [
      '--speed <n>',
      `So many times as fast, up to ${FASTEST}: shorter acts, and breakers that probe sooner. Default: 1, about a minute.`,
    ],
  ],
  options: { speed: { type: 'string' } },
  takesSettings: true,
  example: `souk demo resilience --resilience.http='{}'     # and without a breaker?`,
  run: async (given) => {
    const out = terminal(readEnvironment());
    const speed = wholeNumber(given, 'speed', 'demo resilience') ?? 1;
    if (speed < 1 || speed > FASTEST) {
      throw appErrors.USAGE({ problem: `--speed wants 1 to ${FASTEST}, got ${speed}`, command: 'demo resilience' });
    }
    const stopped = new AbortController();
    const onSignal = () => stopped.abort();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, onSignal);
    // Timers of ours do not keep a process alive.
    const alive = setInterval(() => {}, 2 ** 30);
    try {
      return await play(out, speed, given.settings, stopped.signal);
    } catch (error) {
      if (!stopped.signal.aborted) throw error;
      out.say(out.dim('  stopped'));
      return 1;
    } finally {
      clearInterval(alive);
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, onSignal);
    }
  },
};

async function play(out: Terminal, speed: number, settings: readonly string[], signal: AbortSignal): Promise<number> {
  const begunMs = performance.now();
  out.say(out.dim('  a shop is made, in a folder that is removed afterwards …'));
  const shop = await startThrowawayShop([...defaults(speed, settings), ...settings]);
  try {
    const client = createShopClient(shop.url);
    const token = await signIn(client, shop.admin.email, shop.admin.password);
    const customers = await createCustomers(shop.url, token);
    out.say(
      `  ${out.bold(out.green('The shop is open'))} at ${out.bold(shop.url)}, its figures are at ${shop.url}/metrics`,
    );
    const stage = createStage({ shop, customers, out, speed, signal });
    for (const act of [calm, providerDown, othersDown, tooManySearches]) {
      await act(stage);
      signal.throwIfAborted();
    }
    await audit(stage, token);
    const took = ((performance.now() - begunMs) / 1000).toFixed(0);
    out.say('');
    out.say(
      stage.failed === 0
        ? `  ${out.bold(out.green('Everything came out right'))}, and no operator did anything. ${out.dim(`(${took} s)`)}`
        : `  ${out.bold(out.red(`${stage.failed} of it did not come out right`))}, see above. ${out.dim(`(${took} s)`)}`,
    );
    return stage.failed === 0 ? 0 : 1;
  } finally {
    await shop.end();
  }
}

/** Settings of this demonstration, but for those that are given: a policy that was given without a breaker gets none. */
function defaults(speed: number, given: readonly string[]): string[] {
  const isGiven = (name: string) => given.some((setting) => setting.startsWith(`${name}=`));
  const rules = {
    ...(!isGiven('--resilience.call') && { 'rpc:*': { breaker: { openMs: OPEN_MS.call / speed } } }),
    ...(!isGiven('--resilience.http') && { 'http:*': { breaker: { openMs: OPEN_MS.http / speed } } }),
  };
  const own = { '--resilience.server': DOOR, ...(speed > 1 && { '--resilience.rules': rules }) };
  return Object.entries(own)
    .filter(([name]) => !isGiven(name))
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`);
}
