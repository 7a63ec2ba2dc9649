import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { systemRuntime } from '@souk/kernel';
import { createTelemetryHub } from '@souk/telemetry';
import type { Command, Given } from '../cli/command.ts';
import { type Terminal, terminal } from '../cli/terminal.ts';
import { loadShopSettings } from '../load-shop-settings.ts';
import { createServices } from '../services.ts';
import { createShop, type ShopFacts } from '../shop.ts';
import { readTopology } from '../topology/read-topology.ts';

export const upCommand: Command = {
  name: 'up',
  summary: 'Run the shop until it is told to stop: in this process, or in one for each service',
  usage: '[--topology one|split|<file>] [--instances orders=2] [--section.name=value ...]',
  help: [
    [
      '--topology <name>',
      'one: all in this process, the default. split: a process for each service. Or a file that says which share one.',
    ],
    ['--instances <list>', 'How many processes of each: orders=2,edge=2.'],
  ],
  options: { topology: { type: 'string' }, instances: { type: 'string' } },
  takesSettings: true,
  run: async (given) => {
    const { values, env, folder, serviceUrls, warnings } = await loadShopSettings([
      ...given.settings,
      ...topologyFlags(given),
    ]);
    const out = terminal(env);
    const runtime = systemRuntime();
    const startedMs = runtime.clock.monotonicMs();
    const isTerminal = process.stdout.isTTY === true;
    const format = values.log.format === 'auto' ? (isTerminal ? 'pretty' : 'json') : values.log.format;
    const telemetry = createTelemetryHub({
      runtime,
      level: values.log.level,
      format,
      colour: isTerminal,
      otlpEndpoint: values.telemetry.otlpEndpoint,
      sampleRatio: values.telemetry.sampleRatio,
    });
    for (const warning of warnings) out.say(`note: ${warning}`);
    const onProgress = (step: string) => out.say(out.dim(`  ${step} …`));
    const services = Object.keys(createServices());
    const topology = await readTopology(values.topology, services);
    const shop =
      topology === undefined
        ? createShop({ settings: values, folder, runtime, telemetry, serviceUrls, onProgress })
        : (await import('../topology/supervisor.ts')).createSupervisor({
            topology,
            settings: values,
            folder,
            runtime,
            telemetry,
            serviceUrls,
            services,
            env,
            flags: given.settings,
            program: [PROGRAM],
            format,
            colour: isTerminal,
            out: out.say,
            onProgress,
          });

    const { promise: asked, resolve: stop } = Promise.withResolvers<void>();
    const onSignal = () => {
      // The second time is meant: leave at once, and let the next start pick up what was under way.
      if (stopping) process.exit(1);
      stopping = true;
      stop();
    };
    let stopping = false;
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    // Timers of ours do not keep a process alive.
    const alive = setInterval(() => {}, 2 ** 30);
    try {
      const facts = await Promise.race([shop.start(), asked]);
      if (facts) {
        announce(out, facts, values.admin.email, (runtime.clock.monotonicMs() - startedMs) / 1000);
        await asked;
      }
      out.say(out.dim('  stopping: what is under way is finished or kept for the next start …'));
    } finally {
      await shop.stop();
      await telemetry.close();
      clearInterval(alive);
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
    out.say(out.dim('  stopped'));
    return 0;
  },
};

/** What `souk` itself is, to be started again for each process. */
const PROGRAM = fileURLToPath(new URL('../../bin/souk.js', import.meta.url));

const topologyFlags = ({ options }: Given): string[] => [
  ...(options.topology === undefined ? [] : [`--topology.plan=${options.topology}`]),
  ...(options.instances === undefined ? [] : [`--topology.instances=${options.instances}`]),
];

function announce(out: Terminal, facts: ShopFacts, adminEmail: string, seconds: number): void {
  const { url } = facts;
  out.say('');
  out.say(`  ${out.bold(out.green('The shop is open'))} at ${out.bold(url)} ${out.dim(`(${seconds.toFixed(1)} s)`)}`);
  out.say(`  API ${url}/docs · mailbox ${url}/dev/mailbox · metrics ${url}/metrics · health ${url}/health/ready`);
  out.say(out.dim(`  database: ${facts.database}`));
  if (facts.products > 0) out.say(out.dim(`  ${facts.products} products were made for the empty catalog`));
  if (facts.newAdminPassword !== undefined) {
    out.say(
      `  Administrator ${out.bold(adminEmail)}, password ${out.bold(facts.newAdminPassword)} ${out.dim('(shown this once)')}`,
    );
  }
  out.say('');
  out.say('  Try next, in another terminal:');
  out.say('    npx souk order      place an order and watch each step');
  out.say('    npx souk status     see how the shop is doing');
  out.say(`    curl -s "${url}/api/v1/products?query=lamp&page_size=3"`);
  out.say('');
}
