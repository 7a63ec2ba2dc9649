import {
  ListProjectionsResponseSchema,
  Projection_State as ProjectionState,
} from '@souk/contracts/admin/v1/projections';
import type { Command } from '../../cli/command.ts';
import { type Cell, columns } from '../../drawing/columns.ts';
import { span } from '../../drawing/span.ts';
import { operatorHelp, operatorOf, operatorOptions, query, text } from '../operator.ts';

const LARGEST_PAGE = 500;

export const listCommand: Command = {
  name: 'projection list',
  summary: 'List read models, and how far they are behind',
  usage: '[--service <service>] [--json]',
  help: [['--service <service>', 'Only of this service.'], ...operatorHelp],
  options: { ...operatorOptions, service: { type: 'string' } },
  takesSettings: true,
  example: 'npx souk projection list',
  run: async (given) => {
    const { out, json, ask, askRaw } = await operatorOf(given);
    const path = `/api/v1/admin/projections${query({ service: text(given, 'service'), page_size: LARGEST_PAGE })}`;
    if (json) {
      out.say(JSON.stringify(((await askRaw('GET', path)) as { projections: unknown }).projections, null, 2));
      return 0;
    }
    const { projections } = await ask(ListProjectionsResponseSchema, 'GET', path);
    if (projections.length === 0) {
      out.say('There are no projections.');
      return 0;
    }
    const rows = projections.map((one): readonly Cell[] => [
      `${one.service} ${one.name}@${one.definitionVersion}`,
      [ProjectionState[one.state] ?? '', one.state === ProjectionState.LIVE ? out.green : out.red],
      one.position,
      `${one.lagEvents} events`,
      one.lagEvents === 0 ? '' : span(one.lagSeconds * 1000),
      [one.error, out.dim],
    ]);
    const headings = ['PROJECTION', 'STATE', 'POSITION', 'BEHIND', 'SINCE', 'ERROR'];
    for (const line of columns(headings, rows, { width: out.width, palette: out })) out.say(line);
    return 0;
  },
};
