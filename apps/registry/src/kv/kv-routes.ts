import type { RegistryRequest, Reply, Route } from '../http/routes.ts';
import type { Commits } from '../state/commits.ts';
import { kvErrors } from './errors.ts';
import { checkKey } from './key.ts';
import { jsonNumber, uint64 } from './number.ts';
import type { KvEntry, KvStore } from './store.ts';

const PATH = '/v1/kv/:key';

/** `GET`, `PUT` and `DELETE /v1/kv/:key`. */
export function kvRoutes(options: {
  readonly kv: KvStore;
  readonly commits: Commits;
  /** Whether a session lives. */
  readonly hasSession: (id: string) => boolean;
}): Route[] {
  const { kv, commits, hasSession } = options;

  const put = async (request: RegistryRequest): Promise<Reply> => {
    const { query, body } = request;
    const key = keyOf(request);
    refuseTwo(query, ['cas', 'acquire', 'release']);
    const flags = uint64(query.get('flags') || '0', 'flags');
    const cas = query.has('cas') ? uint64(query.get('cas') ?? '', 'cas') : undefined;
    const acquire = sessionIn(query, 'acquire');
    const release = sessionIn(query, 'release');
    const done = await commits.run((change) =>
      kv.edit(change, (edit) => {
        if (cas !== undefined) return edit.setIf(key, body, flags, cas) !== undefined;
        if (acquire !== undefined) {
          if (!hasSession(acquire)) throw kvErrors.INVALID_SESSION({ id: acquire });
          return !edit.isDelayed(key) && edit.lock(key, body, flags, acquire) !== undefined;
        }
        if (release !== undefined) return edit.unlock(key, body, flags, release) !== undefined;
        edit.set(key, body, flags);
        return true;
      }),
    );
    return { json: done };
  };

  const remove = async (request: RegistryRequest): Promise<Reply> => {
    const { query } = request;
    refuseTwo(query, ['recurse', 'cas']);
    const cas = query.has('cas') ? uint64(query.get('cas') ?? '', 'cas', 1n) : undefined;
    const recurse = query.has('recurse');
    const key = recurse ? prefixOf(request) : keyOf(request);
    const done = await commits.run((change) =>
      kv.edit(change, (edit) => {
        if (cas !== undefined) return edit.removeIf(key, cas);
        if (recurse) edit.removeAll(key);
        else edit.remove(key);
        return true;
      }),
    );
    return { json: done };
  };

  const get = (request: RegistryRequest): Reply => {
    const { query, param } = request;
    if (query.has('keys')) return keys(kv, param, query.get('separator') ?? query.get('seperator') ?? '');
    if (query.has('recurse')) {
      const entries = kv.list(param);
      return entries.length === 0 ? { status: 404 } : { json: entries.map((entry) => entryJson(entry)) };
    }
    const entry = kv.get(param);
    if (entry === undefined) return { status: 404 };
    return query.has('raw') ? raw(entry) : { json: [entryJson(entry)] };
  };

  return [
    {
      method: 'GET',
      path: PATH,
      resource: (request) => (isTree(request.query) ? `kv-prefix:${prefixOf(request)}` : `kv:${keyOf(request)}`),
      handle: get,
    },
    { method: 'PUT', path: PATH, handle: put },
    { method: 'DELETE', path: PATH, handle: remove },
  ];
}

/** As Consul shows it. @param withValue Transactions show the value of what was read only. */
export const entryJson = (entry: KvEntry, withValue = true): Record<string, unknown> => ({
  LockIndex: entry.lockIndex,
  Key: entry.key,
  Flags: jsonNumber(entry.flags),
  Value: withValue && entry.value.length > 0 ? entry.value.toString('base64') : null,
  ...(entry.session === '' ? {} : { Session: entry.session }),
  CreateIndex: entry.createRev,
  ModifyIndex: entry.modifyRev,
});

const isTree = (query: URLSearchParams): boolean => query.has('recurse') || query.has('keys');

function keyOf(request: RegistryRequest): string {
  if (request.param === '') throw kvErrors.MISSING_KEY();
  return prefixOf(request);
}

function prefixOf({ param }: RegistryRequest): string {
  checkKey(param);
  return param;
}

/** Names of keys; with a separator only as far as the first one behind the prefix, each once. */
function keys(kv: KvStore, prefix: string, separator: string): Reply {
  const names = new Set<string>();
  for (const { key } of kv.list(prefix)) {
    const end = separator === '' ? -1 : key.indexOf(separator, prefix.length);
    names.add(end === -1 ? key : key.slice(0, end + separator.length));
  }
  return names.size === 0 && prefix !== '' ? { status: 404 } : { json: [...names] };
}

/** The bytes themselves, in a way that keeps a browser from running them. */
const raw = (entry: KvEntry): Reply => ({
  bytes: entry.value,
  headers: {
    'content-type': 'text/plain',
    'x-content-type-options': 'nosniff',
    'content-security-policy': 'sandbox',
  },
});

function refuseTwo(query: URLSearchParams, names: readonly string[]): void {
  const given = names.filter((name) => query.has(name));
  if (given.length < 2) return;
  // Not the whole query: it may hold a token.
  throw kvErrors.CONFLICTING_FLAGS({ flags: given.map((name) => `${name}=${query.get(name)}`).join('&') });
}

function sessionIn(query: URLSearchParams, name: string): string | undefined {
  const id = query.get(name);
  if (id === '') throw kvErrors.MISSING_SESSION();
  return id ?? undefined;
}
