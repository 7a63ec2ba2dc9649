import {
  type Code,
  type Context,
  fromUnknown,
  isCode,
  kernelErrors,
  newTrace,
  type Retry,
  type Runtime,
  rootContext,
  SoukError,
} from '@souk/kernel';
import { formatTraceparent, parseTraceparent } from '@souk/telemetry';
import { messagingErrors } from './errors.ts';

// How requests and answers look on any transport: a line of JSON, then the body.

interface RequestHead {
  /** Wall clock, in milliseconds: a request that lay about in a queue is over when its caller's time is. */
  readonly deadline?: number;
  readonly traceparent: string;
  readonly userId?: string;
  readonly roles: readonly string[];
  readonly service?: string;
  readonly idempotencyKey?: string;
}

type ReplyHead =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly code: Code;
      readonly reason: string;
      readonly message: string;
      readonly retry: Retry;
      readonly details?: Readonly<Record<string, string>>;
    };

const NEWLINE = 10;

/** A request with what travels along: deadline, trace, caller, idempotency key. */
export function encodeRequest(runtime: Runtime, ctx: Context, body: Uint8Array): Uint8Array {
  const leftMs = ctx.remainingMs();
  const { userId, roles, service } = ctx.caller;
  return frame(
    {
      ...(Number.isFinite(leftMs) ? { deadline: runtime.clock.now() + leftMs } : {}),
      traceparent: formatTraceparent(ctx.trace),
      ...(userId === undefined ? {} : { userId }),
      roles,
      ...(service === undefined ? {} : { service }),
      ...(ctx.idempotencyKey === undefined ? {} : { idempotencyKey: ctx.idempotencyKey }),
    } satisfies RequestHead,
    body,
  );
}

/** @param signal Ends the request's context early, as when the responder closes. @throws MESSAGING_BAD_FRAME */
export function decodeRequest(
  runtime: Runtime,
  bytes: Uint8Array,
  signal?: AbortSignal,
): { readonly ctx: Context; readonly body: Uint8Array } {
  const { head, body } = unframe<RequestHead>(bytes, isRequest);
  const ctx = rootContext({
    runtime,
    signal,
    timeoutMs: head.deadline === undefined ? undefined : head.deadline - runtime.clock.now(),
    trace: parseTraceparent(head.traceparent) ?? newTrace(runtime, true),
    caller: { userId: head.userId, roles: head.roles ?? [], service: head.service },
    idempotencyKey: head.idempotencyKey,
  });
  return { ctx, body };
}

/**
 * Runs a responder on an encoded request. Never rejects: what went wrong is the answer.
 *
 * @returns the encoded answer, or undefined when the caller's time was over before the work began: nobody waits for it
 */
export async function answer(
  runtime: Runtime,
  request: Uint8Array,
  handle: (ctx: Context, body: Uint8Array) => Promise<Uint8Array>,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    const decoded = decodeRequest(runtime, request, signal);
    using ctx = decoded.ctx;
    if (ctx.remainingMs() === 0) return undefined;
    return frame({ ok: true } satisfies ReplyHead, await handle(ctx, decoded.body));
  } catch (thrown) {
    const { code, reason, message, retry, details } = fromUnknown(thrown);
    const hasDetails = Object.keys(details).length > 0;
    return frame({ ok: false, code, reason, message, retry, ...(hasDetails ? { details } : {}) }, new Uint8Array());
  }
}

/** @returns the body of the answer @throws the SoukError that the responder threw, MESSAGING_BAD_FRAME */
export function decodeReply(bytes: Uint8Array): Uint8Array {
  const { head, body } = unframe<ReplyHead>(bytes, (one) => one.ok === true || (one.ok === false && isProblem(one)));
  if (head.ok) return body;
  throw errorOf(head);
}

const errorOf = ({ code, reason, message, retry, details }: Extract<ReplyHead, { ok: false }>): SoukError =>
  new SoukError({ code: isCode(code) ? code : 'unknown', reason, message, retry, details });

/** Requests that wait for an answer. */
export interface Replies {
  /** @returns an id for the request, and its answer @throws MESSAGING_TOO_MANY_REQUESTS; rejects when the time of `ctx` is over */
  open(ctx: Context): { readonly id: string; readonly reply: Promise<Uint8Array> };
  /** @param reply As it came from the wire. Dropped and counted when nobody waits for it. */
  settle(id: string, reply: Uint8Array): void;
  /** The request did not reach anybody. */
  fail(id: string, error: SoukError): void;
  /** None of those that wait will be answered, as when the connection is gone. */
  failAll(error: SoukError): void;
  /** Answers that came too late. */
  readonly late: number;
}

/** Above it a caller is told to come back later. */
const MOST_OPEN = 1000;

export function createReplies(runtime: Runtime): Replies {
  const open = new Map<string, { resolve(reply: Uint8Array): void; reject(error: unknown): void }>();
  let late = 0;
  return {
    get late() {
      return late;
    },
    open: (ctx) => {
      ctx.throwIfDone();
      if (open.size >= MOST_OPEN) throw messagingErrors.TOO_MANY_REQUESTS({ max: MOST_OPEN }, { afterMs: 100 });
      const id = runtime.ids.uuid();
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
      const leftMs = ctx.remainingMs();
      const timer = Number.isFinite(leftMs)
        ? runtime.timers.after(leftMs, () => reject(kernelErrors.DEADLINE_EXCEEDED()))
        : undefined;
      const { cancellation } = ctx;
      const onAbort = (): void => reject(fromUnknown(cancellation?.reason));
      cancellation?.addEventListener('abort', onAbort, { once: true });
      open.set(id, { resolve, reject });
      const reply = promise
        .finally(() => {
          open.delete(id);
          timer?.cancel();
          cancellation?.removeEventListener('abort', onAbort);
        })
        .then(decodeReply);
      return { id, reply };
    },
    settle: (id, reply) => {
      const waiting = open.get(id);
      if (waiting === undefined) late++;
      else waiting.resolve(reply);
    },
    fail: (id, error) => open.get(id)?.reject(error),
    failAll: (error) => {
      for (const { reject } of open.values()) reject(error);
    },
  };
}

function frame(head: RequestHead | ReplyHead, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
}

type Fields = Readonly<Record<string, unknown>>;

const isText = (value: unknown): boolean => typeof value === 'string';

const isRequest = ({ traceparent, roles, deadline }: Fields): boolean =>
  isText(traceparent) && Array.isArray(roles) && (deadline === undefined || Number.isFinite(deadline));

const isProblem = ({ reason, message, retry }: Fields): boolean =>
  isText(reason) && isText(message) && isText((retry as Fields | undefined)?.kind);

/** @throws MESSAGING_BAD_FRAME when it is not ours */
function unframe<THead>(
  bytes: Uint8Array,
  isOurs: (head: Fields) => boolean,
): { readonly head: THead; readonly body: Uint8Array } {
  const end = bytes.indexOf(NEWLINE);
  const head = parse(Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end)).toString('utf8'));
  if (head === undefined || !isOurs(head)) throw messagingErrors.BAD_FRAME({ bytes: bytes.length });
  return { head: head as THead, body: end < 0 ? new Uint8Array() : new Uint8Array(bytes.slice(end + 1)) };
}

function parse(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
  } catch {
    // What is not JSON is not a head.
    return undefined;
  }
}
