import {
  SagaAction_Kind as ActionKind,
  type PossibleAction,
  type SagaDetails,
  Saga_Status as SagaStatus,
} from '@souk/contracts/admin/v1/sagas';
import { fit } from './line.ts';
import type { Palette } from './palette.ts';
import { commandOf } from './saga-records.ts';

const WHAT: Readonly<Record<number, string>> = {
  [ActionKind.RETRY]: 'try it again',
  [ActionKind.SKIP]: 'take it as done, with this output',
  [ActionKind.EDIT]: 'try it with another input',
  [ActionKind.COMPENSATE]: 'take back what was done',
  [ActionKind.CANCEL]: 'turn back',
  [ActionKind.GIVE_UP]: 'end it as it is',
  [ActionKind.PAUSE]: 'begin no further step',
  [ActionKind.RESUME]: 'go on',
};

/** Commands that are ready to be run, where somebody has to do something. */
export function possibilities(
  details: SagaDetails,
  { width, palette }: { readonly width: number; readonly palette: Palette },
): string[] {
  const { saga, actions } = details;
  if (saga === undefined || actions.length === 0) return [];
  if (saga.status !== SagaStatus.STUCK && saga.status !== SagaStatus.PAUSED) return [];
  const commands = actions.map((one) => [command(details, one), WHAT[one.action] ?? ''] as const);
  // A command that is cut cannot be run: what it does gives way.
  const room = Math.max(...commands.map(([text]) => text.length));
  const withWhat = room + 40 <= width;
  return [
    '',
    palette.bold('What can be done'),
    ...commands.map(([text, what]) =>
      withWhat ? fit([`  ${text.padEnd(room)}  `, [what, palette.dim]], width) : `  ${text}`,
    ),
  ];
}

function command({ saga }: SagaDetails, { action, step, needsForce }: PossibleAction): string {
  const words = ['npx souk saga', commandOf(action), saga?.id ?? ''];
  if (action === ActionKind.SKIP || action === ActionKind.EDIT) words.push('--step', step);
  if (action === ActionKind.SKIP) words.push("--output '{}'");
  if (action === ActionKind.EDIT) words.push('--input @input.json');
  if (needsForce) words.push('--force');
  return [...words.filter((word) => word !== ''), "--reason '…'"].join(' ');
}
