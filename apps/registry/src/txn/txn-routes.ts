import type { RegistryRequest, Reply, Route } from '../http/routes.ts';
import { entryJson } from '../kv/kv-routes.ts';
import type { KvEdit, KvStore } from '../kv/store.ts';
import type { Commits } from '../state/commits.ts';
import { type Operation, parseOperations } from './operations.ts';
import { runOperation } from './run-operation.ts';

interface Outcome {
  readonly results: readonly { readonly KV: Record<string, unknown> }[];
  readonly errors: readonly { readonly OpIndex: number; readonly What: string }[];
}

/** `PUT /v1/txn`: all operations, or none. */
export function txnRoutes(options: {
  readonly kv: KvStore;
  readonly commits: Commits;
  readonly hasSession: (id: string) => boolean;
}): Route[] {
  const { kv, commits, hasSession } = options;

  const runAll = (edit: KvEdit, operations: readonly Operation[]): Outcome => {
    const done = operations.map((operation) => runOperation(edit, operation, hasSession));
    return {
      results: done.flatMap(({ entries = [], withValue = false }) =>
        entries.map((entry) => ({ KV: entryJson(entry, withValue) })),
      ),
      errors: done.flatMap(({ problem }, index) => (problem === undefined ? [] : [{ OpIndex: index, What: problem }])),
    };
  };

  const handle = async (request: RegistryRequest): Promise<Reply> => {
    const operations = parseOperations(request.body);
    const { results, errors } = await commits.run((change) =>
      kv.edit(
        change,
        (edit) => runAll(edit, operations),
        (outcome) => outcome.errors.length === 0,
      ),
    );
    if (errors.length > 0) return { status: 409, json: { Results: null, Errors: errors } };
    return { json: { Results: results, Errors: null } };
  };

  return [{ method: 'PUT', path: '/v1/txn', handle }];
}
