import type { CommandGroup } from '../../cli/command-group.ts';
import { actionCommand } from './act.ts';
import { actionsCommand } from './actions.ts';
import { listCommand } from './list.ts';
import { showCommand } from './show.ts';

const ORDER = 'ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4';

export const sagaCommands: CommandGroup = {
  name: 'saga',
  summary: 'List, show and steer sagas: retry, skip, edit, compensate, …',
  commands: [
    listCommand,
    showCommand,
    actionsCommand,
    actionCommand({
      verb: 'retry',
      summary: 'Try the step that a saga is stuck on again, with the same key',
      done: 'sagas go on',
      example: `saga retry ${ORDER} --reason 'the provider is back'`,
    }),
    actionCommand({
      verb: 'skip',
      summary: 'Take the step that a saga is stuck on as done',
      done: 'steps skipped',
      example: `saga skip ${ORDER} --output '{"shipmentId":""}' --reason 'sent by hand'`,
      takes: 'output',
    }),
    actionCommand({
      verb: 'edit',
      summary: 'Try the step that a saga is stuck on with another input, under a new key',
      done: 'sagas edited',
      example: `saga edit ${ORDER} --input @input.json --reason 'the address was incomplete'`,
      takes: 'input',
      takesForce: true,
    }),
    actionCommand({
      verb: 'compensate',
      summary: 'Turn a saga back and take back what was done',
      done: 'sagas turned back',
      example: `saga compensate ${ORDER} --reason 'the customer no longer wants it'`,
      takesForce: true,
    }),
    actionCommand({
      verb: 'cancel',
      summary: 'Turn a saga back that has not passed its point of no return',
      done: 'sagas cancelled',
      example: `saga cancel ${ORDER} --reason 'ordered twice'`,
    }),
    actionCommand({
      verb: 'give-up',
      summary: 'End a saga where it is, for ever, and leave what was done',
      done: 'sagas given up',
      example: `saga give-up ${ORDER} --reason 'settled by hand, ticket 4711'`,
      isHard: true,
    }),
    actionCommand({
      verb: 'pause',
      summary: 'Let a saga begin no further step until it is resumed',
      done: 'sagas paused',
      example: `saga pause ${ORDER} --reason 'the warehouse is counting'`,
    }),
    actionCommand({
      verb: 'resume',
      summary: 'Let a paused saga go on',
      done: 'sagas resumed',
      example: `saga resume ${ORDER} --reason 'the warehouse has counted'`,
    }),
  ],
};
