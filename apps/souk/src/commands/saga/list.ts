import { timestampMs } from '@bufbuild/protobuf/wkt';
import {
  ListSagasResponseSchema,
  type Saga,
  Saga_Direction as SagaDirection,
  Saga_Status as SagaStatus,
} from '@souk/contracts/admin/v1/sagas';
import { type Command, wholeNumber } from '../../cli/command.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { type Cell, columns } from '../../drawing/columns.ts';
import { statusPaint } from '../../drawing/saga-header.ts';
import { span } from '../../drawing/span.ts';
import { decode, operatorHelp, operatorOf, operatorOptions, query } from '../operator.ts';
import { filterHelp, filterOf, filterOptions } from './filter.ts';

const NAME = 'saga list';
const DEFAULT_LIMIT = 50;
const LARGEST_PAGE = 100;

export const listCommand: Command = {
  name: NAME,
  summary: 'List sagas, newest first',
  usage: '[--status STUCK] [--service <service>] [--name <saga>] … [--json]',
  help: [...filterHelp, ['--limit <n>', `At most this many. Default: ${DEFAULT_LIMIT}.`], ...operatorHelp],
  options: { ...filterOptions, ...operatorOptions, limit: { type: 'string' } },
  takesSettings: true,
  example: 'npx souk saga list --status STUCK --older-than 10m',
  run: async (given) => {
    const operator = await operatorOf(given);
    const limit = wholeNumber(given, 'limit', NAME) ?? DEFAULT_LIMIT;
    const filter = filterOf(given, NAME);
    const sagas: Saga[] = [];
    const raw: unknown[] = [];
    let token = '';
    do {
      const size = Math.min(LARGEST_PAGE, limit - sagas.length);
      const path = `/api/v1/admin/sagas${query({ ...filter, page_size: size, page_token: token })}`;
      const answer = await operator.askRaw('GET', path);
      raw.push(...(answer as { sagas: unknown[] }).sagas);
      const page = decode(ListSagasResponseSchema, answer);
      sagas.push(...page.sagas);
      token = page.nextPageToken;
    } while (token !== '' && sagas.length < limit);
    if (operator.json) operator.out.say(JSON.stringify(raw, null, 2));
    else show(operator.out, sagas, token !== '');
    return 0;
  },
};

function show(out: Terminal, sagas: readonly Saga[], more: boolean): void {
  if (sagas.length === 0) {
    out.say('No such saga.');
    return;
  }
  for (const line of sagaTable(sagas, out, Date.now())) out.say(line);
  if (more) out.say(out.dim(`The first ${sagas.length}; there are more: --limit ${sagas.length * 2}`));
}

/** Sagas, one on a line. */
export function sagaTable(sagas: readonly Saga[], out: Pick<Terminal, 'width'> & Terminal, nowMs: number): string[] {
  const rows = sagas.map((saga): readonly Cell[] => [
    [SagaStatus[saga.status] ?? '', statusPaint(saga.status, out)],
    `${saga.service} ${saga.name}@${saga.definitionVersion}`,
    saga.id,
    saga.direction === SagaDirection.BACKWARD && saga.step !== '' ? `↶ ${saga.step}` : saga.step,
    saga.updatedAt === undefined ? '' : span(nowMs - timestampMs(saga.updatedAt)),
    [saga.error?.reason ?? '', out.dim],
  ]);
  return columns(['STATUS', 'SAGA', 'ID', 'STEP', 'FOR', 'REASON'], rows, { width: out.width, palette: out });
}
