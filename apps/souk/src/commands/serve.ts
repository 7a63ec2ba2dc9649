import process from 'node:process';
import type { Command } from '../cli/command.ts';

export const serveCommand: Command = {
  name: 'serve',
  summary: 'Run one process of a split shop: services, the operators’ door, or the edge',
  usage: '<role>... [--instance <name>] [--section.name=value ...]',
  help: [
    ['<role>', 'Names of services that share this process, operator, or edge.'],
    ['--instance <name>', 'Name of this process, unique in the shop. Default: its first role and its process id.'],
  ],
  options: { instance: { type: 'string' } },
  takesSettings: true,
  positional: '<role>...',
  example: 'SOUK_CALLS_KEY=… ORDERS_DATABASE_URL=postgres://… souk serve orders --calls.port=9001',
  run: async ({ positionals, options, settings }) => {
    const instance = String(options.instance ?? `${positionals[0]}-${process.pid}`);
    // Only who runs a part of a split shop needs what that takes.
    const { runMember } = await import('../run-member.ts');
    await runMember({ roles: positionals, instance, flags: settings });
    return 0;
  },
};
