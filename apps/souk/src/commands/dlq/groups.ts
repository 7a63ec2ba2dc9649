import { timestampMs } from '@bufbuild/protobuf/wkt';
import { ListDeadLetterGroupsResponseSchema } from '@souk/contracts/admin/v1/dead_letters';
import type { Command } from '../../cli/command.ts';
import { type Cell, columns } from '../../drawing/columns.ts';
import { span } from '../../drawing/span.ts';
import { operatorHelp, operatorOf, operatorOptions, query, text } from '../operator.ts';

const LARGEST_PAGE = 100;

export const groupsCommand: Command = {
  name: 'dlq groups',
  summary: 'Show dead letters by what went wrong, the largest group first',
  usage: '[--service <service>] [--json]',
  help: [['--service <service>', 'Only of this service.'], ...operatorHelp],
  options: { ...operatorOptions, service: { type: 'string' } },
  takesSettings: true,
  example: 'npx souk dlq groups',
  run: async (given) => {
    const { out, json, ask, askRaw } = await operatorOf(given);
    const parameters = query({ service: text(given, 'service'), page_size: LARGEST_PAGE });
    const path = `/api/v1/admin/dead-letter-groups${parameters}`;
    if (json) {
      out.say(JSON.stringify(((await askRaw('GET', path)) as { groups: unknown }).groups, null, 2));
      return 0;
    }
    const { groups, nextPageToken } = await ask(ListDeadLetterGroupsResponseSchema, 'GET', path);
    if (groups.length === 0) {
      out.say('No dead letters.');
      return 0;
    }
    const nowMs = Date.now();
    const rows = groups.map((group): readonly Cell[] => [
      [String(group.count).padStart(5), out.red],
      [group.fingerprint, out.bold],
      group.service,
      group.type,
      group.reason,
      group.lastAt === undefined ? '' : `${span(nowMs - timestampMs(group.lastAt))} ago`,
      group.sampleId,
      [group.error, out.dim],
    ]);
    const headings = ['COUNT', 'GROUP', 'SERVICE', 'TYPE', 'REASON', 'LAST', 'ONE OF THEM', 'ERROR'];
    for (const line of columns(headings, rows, { width: out.width, palette: out })) out.say(line);
    if (nextPageToken !== '') out.say(out.dim(`The ${groups.length} largest; there are more.`));
    return 0;
  },
};
