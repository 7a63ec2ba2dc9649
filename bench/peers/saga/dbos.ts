import { randomUUID } from 'node:crypto';
import { DBOS } from '@dbos-inc/dbos-sdk';
import pg from 'pg';
import { closedLoop, readOrder, report } from '../../lib/engine.ts';

const STEPS = ['reserve', 'authorize', 'confirm', 'ship'];

const order = readOrder();
DBOS.setConfig({
  name: 'bench',
  systemDatabaseUrl: order.url,
  systemDatabasePoolSize: 20,
  logLevel: 'error',
});
const workflow = DBOS.registerWorkflow(
  async (orderId: string) => {
    for (const name of STEPS) await DBOS.runStep(async () => ({ [name]: orderId }), { name });
    return 'done';
  },
  { name: 'place-order' },
);
await DBOS.launch();

const run = randomUUID();
const figures = await closedLoop(order, async (n) => {
  const workflowID = `${run}-${n}`;
  const handle = await DBOS.startWorkflow(workflow, { workflowID })(workflowID);
  await handle.getResult();
});

const client = new pg.Client({ connectionString: order.url });
await client.connect();
const { rows } = await client.query(
  `SELECT (SELECT count(*)::int FROM dbos.workflow_status WHERE status = 'SUCCESS' AND workflow_uuid LIKE $1) AS done,
          (SELECT count(*)::int FROM dbos.operation_outputs WHERE workflow_uuid LIKE $1) AS steps`,
  [`${run}-%`],
);
const [{ done, steps }] = rows;
report(figures, [
  done !== figures.done && `${figures.done} workflows ended, ${done} are SUCCESS`,
  steps !== figures.done * STEPS.length && `${steps} steps of ${figures.done} workflows`,
]);
