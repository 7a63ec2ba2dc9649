import type { Command } from '../cli/command.ts';
import { terminal } from '../cli/terminal.ts';
import { appErrors } from '../errors.ts';
import { loadShopSettings } from '../load-shop-settings.ts';
import { readOperatorToken } from '../operator-token.ts';
import { findControl, type RestartLine } from '../topology/find-control.ts';

export const restartCommand: Command = {
  name: 'restart',
  summary: 'Replace the processes of a service of a split shop, one after another, without refusing a request',
  usage: '<service>',
  help: [['<service>', 'A service, operator, edge, or the name of a process of the topology.']],
  options: {},
  takesSettings: true,
  positional: '<service>',
  run: async ({ positionals: [name = ''], settings }) => {
    const { env, folder } = await loadShopSettings(settings);
    const out = terminal(env);
    const control = findControl(folder);
    const response = await fetch(`${control.url}/restart/${encodeURIComponent(name)}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${readOperatorToken(folder)}` },
    });
    if (!response.ok || response.body === null) {
      throw appErrors.REFUSED({ what: `to restart ${name}`, why: `the supervisor said ${response.status}` });
    }
    for await (const line of linesOf(response.body)) {
      const said = JSON.parse(line) as RestartLine;
      if ('error' in said) throw appErrors.REFUSED({ what: `to restart ${name}`, why: said.error });
      out.say('step' in said ? `  ${said.step}` : out.green('done'));
    }
    return 0;
  },
};

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() as string;
    yield* lines;
  }
}
