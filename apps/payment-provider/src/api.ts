import type { DatabaseSync } from 'node:sqlite';
import { isSoukError, type Runtime } from '@souk/kernel';
import type { Book } from './book.ts';
import { providerErrors } from './errors.ts';
import type { Faults } from './faults.ts';
import { amountOf, objectOf, textOf } from './input.ts';
import { behaviourOf } from './token.ts';

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly idempotencyKey: string | undefined;
  readonly body: string;
}

export interface ApiReply {
  readonly status: number;
  /** JSON. */
  readonly body: string;
  /** It was done, and nobody will be told. */
  readonly lost?: boolean;
}

/** The provider's API behind its transport: authenticated requests in, replies out. */
export type Api = (request: ApiRequest) => Promise<ApiReply>;

/** A change, as it is stored under its key. */
interface Change {
  /** Everything that makes it the same request: another one may not use its key. */
  readonly fingerprint: string;
  readonly run: (key: string) => unknown;
  /** Looked at before the change, outside of the transaction. */
  readonly token?: string;
}

export interface ApiOptions {
  readonly db: DatabaseSync;
  readonly book: Book;
  readonly runtime: Runtime;
  readonly faults: Faults;
  readonly slowMs: number;
  /** A refund was made that will turn out to have failed. */
  readonly onLateFailure: (chargeId: string, refundId: string) => void;
  /** Something was changed. */
  readonly onCommit: () => void;
}

const CHARGE_PATH = /^\/v1\/charges\/([\w-]{1,64})(?:\/(capture|void|refunds))?$/;
const FLAKY_FAILURES = 2;
const LEDGER_PAGE = 500;

export function createApi(options: ApiOptions): Api {
  const { db, book, runtime, faults, slowMs } = options;
  const stored = db.prepare('select fingerprint, status, body from idempotency where key = ?');
  const store = db.prepare('insert into idempotency (key, fingerprint, status, body) values (?, ?, ?, ?)');
  const flake = db.prepare(
    `insert into flake (key, failures) values (?, 1)
     on conflict (key) do update set failures = failures + 1 returning failures`,
  );
  const [begin, commit, rollback] = [db.prepare('begin immediate'), db.prepare('commit'), db.prepare('rollback')];

  const transaction = <T>(work: () => T): T => {
    begin.run();
    try {
      const result = work();
      commit.run();
      return result;
    } catch (error) {
      rollback.run();
      throw error;
    }
  };

  const replay = (key: string, fingerprint: string): ApiReply | undefined => {
    const found = stored.get(key);
    if (found === undefined) return undefined;
    if (found.fingerprint !== fingerprint) throw providerErrors.KEY_REUSED();
    return { status: Number(found.status), body: found.body as string };
  };

  /** Done once per key; only what was done is stored, so a refusal leaves the key free. */
  const change = async (request: ApiRequest, { fingerprint, run, token }: Change): Promise<ApiReply> => {
    const key = request.idempotencyKey;
    if (key === undefined || key === '' || key.length > 255) throw providerErrors.KEY_REQUIRED();
    const before = replay(key, fingerprint);
    if (before !== undefined) return before;
    const quirk = token === undefined ? 'none' : behaviourOf(token)?.quirk;
    if (quirk === 'slow') await runtime.timers.sleep(slowMs);
    if (quirk === 'flaky' && Number(flake.get(key)?.failures) <= FLAKY_FAILURES) throw providerErrors.TRY_AGAIN();
    const reply = transaction(() => {
      const meanwhile = replay(key, fingerprint);
      if (meanwhile !== undefined) return meanwhile;
      const body = JSON.stringify(run(key));
      store.run(key, fingerprint, 201, body);
      return { status: 201, body };
    });
    options.onCommit();
    if (faults.loseReplies > 0) {
      faults.loseReplies -= 1;
      return { ...reply, lost: true };
    }
    return quirk === 'hang' ? { ...reply, lost: true } : reply;
  };

  const authorize = (request: ApiRequest): Promise<ApiReply> => {
    const input = objectOf(request.body);
    const amount = amountOf(input, 'amount');
    const currency = textOf(input, 'currency', /^[A-Z]{3}$/);
    const reference = textOf(input, 'reference', /^.{0,200}$/, '');
    const method = textOf(input, 'paymentMethod', /^[\w-]{0,64}$/, '');
    const token = method === '' ? textOf(input, 'token', /^\w{1,64}$/) : book.tokenOf(method);
    if (token === undefined || behaviourOf(token) === undefined) throw providerErrors.UNKNOWN_TOKEN();
    return change(request, {
      fingerprint: JSON.stringify(['authorize', amount, currency, method, token, reference]),
      token,
      run: (idempotencyKey) => book.authorize({ idempotencyKey, amount, currency, token, reference }),
    });
  };

  const actOn = (request: ApiRequest, id: string, action: string): Promise<ApiReply> => {
    const input = objectOf(request.body);
    const amount = input.amount === undefined ? undefined : amountOf(input, 'amount');
    const run = (key: string): unknown => {
      if (action === 'capture') return book.capture(id, amount);
      if (action === 'void') return book.void(id);
      const made = book.refund(id, amount, key);
      options.onLateFailure(id, made.refund.id);
      return made;
    };
    return change(request, { fingerprint: JSON.stringify([action, id, amount]), run });
  };

  const read = (path: string, query: URLSearchParams): unknown => {
    if (path === '/v1/ledger') {
      const entries = book.ledger(count(query.get('after')), count(query.get('since')), LEDGER_PAGE);
      return { entries, more: entries.length === LEDGER_PAGE };
    }
    const id = CHARGE_PATH.exec(path)?.[1];
    const charge = path === '/v1/charges' ? book.chargeByKey(query.get('idempotencyKey') ?? '') : id && book.charge(id);
    if (!charge) throw providerErrors.NOT_FOUND();
    return charge;
  };

  const dispatch = async (request: ApiRequest): Promise<ApiReply> => {
    const { method, path } = request;
    if (method === 'GET') return ok(read(path, request.query));
    if (path === '/v1/test/faults' && method === 'PUT') return ok(setFaults(faults, request.body));
    if (method !== 'POST') throw providerErrors.NOT_FOUND();
    if (path === '/v1/payment-methods') {
      const token = textOf(objectOf(request.body), 'token', /^\w{1,255}$/);
      return { status: 201, body: JSON.stringify(book.addPaymentMethod(token)) };
    }
    if (path === '/v1/charges') return authorize(request);
    const [, id, action] = CHARGE_PATH.exec(path) ?? [];
    if (id === undefined || action === undefined) throw providerErrors.NOT_FOUND();
    return actOn(request, id, action);
  };

  return async (request) => {
    if (faults.delayMs > 0) await runtime.timers.sleep(faults.delayMs);
    try {
      if (faults.unavailable > 0 && !request.path.startsWith('/v1/test/')) {
        faults.unavailable -= 1;
        throw providerErrors.TRY_AGAIN();
      }
      return await dispatch(request);
    } catch (thrown) {
      if (!isSoukError(thrown) || !thrown.reason.startsWith('PROVIDER_')) throw thrown;
      return refusal(thrown);
    }
  };
}

const HTTP_STATUS: Readonly<Record<string, number>> = { invalid_argument: 400, not_found: 404 };

/** An error as the API tells it. */
export const refusal = (error: { reason: string; code: string; message: string; httpStatus: number | undefined }) => ({
  status: error.httpStatus ?? HTTP_STATUS[error.code] ?? 500,
  body: JSON.stringify({
    error: { code: error.reason.replace('PROVIDER_', '').toLowerCase(), message: error.message },
  }),
});

const ok = (body: unknown): ApiReply => ({ status: 200, body: JSON.stringify(body) });

const count = (text: string | null): number => (text !== null && /^\d{1,15}$/.test(text) ? Number(text) : 0);

function setFaults(faults: Faults, body: string): Faults {
  const wanted = objectOf(body);
  for (const [name, now] of Object.entries(faults)) {
    const value = wanted[name];
    if (value === undefined) continue;
    if (typeof value !== typeof now) throw providerErrors.MALFORMED({ what: `${name} is a ${typeof now}` });
    Object.assign(faults, { [name]: value });
  }
  return faults;
}
