import { timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type DeadLetter,
  DeadLetter_Status as LetterStatus,
  ListDeadLettersResponseSchema,
} from '@souk/contracts/admin/v1/dead_letters';
import { type Command, wholeNumber } from '../../cli/command.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { type Cell, columns } from '../../drawing/columns.ts';
import { span } from '../../drawing/span.ts';
import { decode, operatorHelp, operatorOf, operatorOptions, query, text } from '../operator.ts';
import { filterHelp, filterOf, filterOptions } from './filter.ts';

const NAME = 'dlq list';
const DEFAULT_LIMIT = 50;
const LARGEST_PAGE = 100;

export const listCommand: Command = {
  name: NAME,
  summary: 'List events that could not be handled, the latest first',
  usage: '[--service <service>] [--error <reason>] … [--json]',
  help: [
    ...filterHelp,
    ['--status <status>', 'DEAD (default), REPLAYED, EDITED or DISCARDED.'],
    ['--limit <n>', `At most this many. Default: ${DEFAULT_LIMIT}.`],
    ...operatorHelp,
  ],
  options: { ...filterOptions, ...operatorOptions, status: { type: 'string' }, limit: { type: 'string' } },
  takesSettings: true,
  example: 'npx souk dlq list --service orders',
  run: async (given) => {
    const operator = await operatorOf(given);
    const { out, json } = operator;
    const limit = wholeNumber(given, 'limit', NAME) ?? DEFAULT_LIMIT;
    const filter = { ...filterOf(given), status: text(given, 'status')?.toUpperCase() };
    const letters: DeadLetter[] = [];
    const raw: unknown[] = [];
    let token = '';
    do {
      const size = Math.min(LARGEST_PAGE, limit - letters.length);
      const path = `/api/v1/admin/dead-letters${query({ ...filter, page_size: size, page_token: token })}`;
      const answer = await operator.askRaw('GET', path);
      raw.push(...(answer as { deadLetters: unknown[] }).deadLetters);
      const page = decode(ListDeadLettersResponseSchema, answer);
      letters.push(...page.deadLetters);
      token = page.nextPageToken;
    } while (token !== '' && letters.length < limit);
    if (json) {
      out.say(JSON.stringify(raw, null, 2));
      return 0;
    }
    if (letters.length === 0) out.say('No such dead letter.');
    else for (const line of letterTable(letters, out, Date.now())) out.say(line);
    if (token !== '') out.say(out.dim(`The first ${letters.length}; there are more: --limit ${letters.length * 2}`));
    return 0;
  },
};

/** Dead letters, one on a line. */
export function letterTable(letters: readonly DeadLetter[], out: Terminal, nowMs: number): string[] {
  const rows = letters.map((letter): readonly Cell[] => [
    [letter.id, out.bold],
    letter.status === LetterStatus.DEAD ? [LetterStatus[letter.status], out.red] : (LetterStatus[letter.status] ?? ''),
    letter.deadAt === undefined ? '' : span(nowMs - timestampMs(letter.deadAt)),
    letter.type,
    letter.key,
    letter.reason,
    [letter.error, out.dim],
  ]);
  return columns(['ID', 'STATUS', 'FOR', 'TYPE', 'KEY', 'REASON', 'ERROR'], rows, { width: out.width, palette: out });
}
