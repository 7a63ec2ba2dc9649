import type {
  ListDeadLettersRequest,
  DeadLetterSelection as SelectionMessage,
} from '@souk/contracts/admin/v1/dead_letters';
import type { ServiceOperators } from '@souk/host';
import type { Context } from '@souk/kernel';
import type { DeadLetter, DeadLetterFilter, DeadLetterSelection } from '@souk/messaging';
import { parseLetterId } from './dead-letter-messages.ts';
import { chosen, durationMs, given, theOne } from './services.ts';

/** Letters of one service that were chosen. */
export interface ChosenLetters {
  readonly from: ServiceOperators;
  readonly selection: DeadLetterSelection;
}

export const filterOf = (filter: ListDeadLettersRequest): Omit<DeadLetterFilter, 'status'> => ({
  type: given(filter.type),
  key: given(filter.key),
  reason: given(filter.reason),
  fingerprint: given(filter.fingerprint),
  olderThanMs: durationMs(filter.olderThan),
});

/** By service. @throws APP_NO_SERVICE */
export function chosenLetters(operators: readonly ServiceOperators[], selection: SelectionMessage): ChosenLetters[] {
  if (selection.ids.length === 0) {
    const filter = selection.filter;
    if (filter === undefined) return [];
    return chosen(operators, filter.service).map((from) => ({ from, selection: { filter: filterOf(filter) } }));
  }
  const ids = selection.ids.map(parseLetterId);
  const services = [...new Set(ids.map(({ service }) => service))];
  return services.map((service) => ({
    from: theOne(operators, service),
    selection: { ids: ids.filter((one) => one.service === service).map(({ id }) => id) },
  }));
}

/** What was chosen, counted: the tokens of all services in one. */
export async function preview(ctx: Context, action: 'redrive' | 'discard', letters: readonly ChosenLetters[]) {
  const previews = await Promise.all(
    letters.map(async ({ from, selection }) => ({
      service: from.service,
      ...(await from.deadLetters.preview(ctx, action, selection)),
    })),
  );
  const tokens = previews.filter(({ confirm }) => confirm !== '').map(({ service, confirm }) => [service, confirm]);
  return {
    count: previews.reduce((sum, { count }) => sum + count, 0),
    sample: previews.flatMap(({ sample }): readonly DeadLetter[] => sample).slice(0, SAMPLE),
    confirmToken: tokens.length === 0 ? '' : Buffer.from(JSON.stringify(tokens)).toString('base64url'),
  };
}

const SAMPLE = 5;

/** @returns the token of one service; undefined for what is no token of ours */
export function tokenOf(confirmToken: string, service: string): string | undefined {
  try {
    const tokens: unknown = JSON.parse(Buffer.from(confirmToken, 'base64url').toString() || '[]');
    const found: unknown = Array.isArray(tokens) ? tokens.find((one) => Array.isArray(one) && one[0] === service) : [];
    const token: unknown = Array.isArray(found) ? found[1] : undefined;
    return typeof token === 'string' ? token : undefined;
  } catch {
    return undefined;
  }
}
