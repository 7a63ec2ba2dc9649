import { SagaDetailsSchema } from '@souk/contracts/admin/v1/sagas';
import type { Command } from '../../cli/command.ts';
import { drawSaga } from '../../drawing/saga-timeline.ts';
import { operatorHelp, operatorOf, operatorOptions, query, text } from '../operator.ts';

export const showCommand: Command = {
  name: 'saga show',
  summary: 'Show what happened in a saga, step by step, and what can be done',
  usage: '<id> [--service <service>] [--json]',
  help: [
    ['<id>', 'Id of the saga: of an order, for place-order.'],
    ['--service <service>', 'Where more than one service has a saga of this id.'],
    ...operatorHelp,
  ],
  options: { ...operatorOptions, service: { type: 'string' } },
  positional: '<id>',
  takesSettings: true,
  example: 'npx souk saga show ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4',
  run: async (given) => {
    const operator = await operatorOf(given);
    const { out } = operator;
    const path = sagaPath(given.positionals[0] as string, text(given, 'service'));
    if (operator.json) {
      out.say(JSON.stringify(await operator.askRaw('GET', path), null, 2));
      return 0;
    }
    const details = await operator.ask(SagaDetailsSchema, 'GET', path);
    for (const line of drawSaga(details, { width: out.width, nowMs: Date.now(), palette: out })) out.say(line);
    return 0;
  },
};

/** Where a saga is over REST. */
export const sagaPath = (id: string, service: string | undefined): string =>
  `/api/v1/admin/sagas/${encodeURIComponent(id)}${query({ service })}`;
