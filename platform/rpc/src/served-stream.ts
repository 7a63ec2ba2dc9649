import type { Message } from '@bufbuild/protobuf';
import {
  type Context,
  fromUnknown,
  kernelErrors,
  newTrace,
  type Runtime,
  rootContext,
  type SoukError,
} from '@souk/kernel';
import { parseTraceparent, type Span } from '@souk/telemetry';
import { admit, admitOwner } from './access.ts';
import { DONE } from './async-iterables.ts';
import type { Deadlines } from './deadline.ts';
import { rpcErrors } from './errors.ts';
import { logFailure } from './failure.ts';
import { readIdempotencyKey } from './idempotency-key.ts';
import type { RoutedStream } from './routed-method.ts';
import type { CallFacts } from './router.ts';
import { routingOf } from './routing.ts';

type Result = IteratorResult<Message, undefined>;

/** What the streams of one router share. */
export interface StreamSurroundings {
  readonly runtime: Runtime;
  readonly deadlines: Deadlines;
  /** @throws RPC_DRAINING */
  opened(stream: ServedStream): void;
  closed(stream: ServedStream): void;
  /** Milliseconds. */
  readonly maxStreamMs: number;
  readonly idleMs: number;
}

/**
 * One streaming call at work, as the iteration of its responses. It ends once, by whatever comes first: the handler's end or error, a request
 * that breaks the rules, the deadline, the caller's leaving, idleness, or the process's stopping. Whatever it was, both iterations, of
 * requests and of responses, are ended, and the context is cancelled unless the handler was done.
 */
export class ServedStream implements AsyncIterableIterator<Message, undefined> {
  readonly #around: StreamSurroundings;
  readonly #method: RoutedStream;
  readonly #facts: CallFacts;
  readonly #requests: AsyncIterator<Message>;
  readonly #gone = new AbortController();
  readonly #timeoutMs: number;
  readonly idleMs: number;
  #root: Context | undefined;
  #ctx: Context | undefined;
  #span: Span | undefined;
  #leave: (() => void) | undefined;
  #responses: AsyncIterator<Message> | undefined;
  #finished: (() => void) | undefined;
  #state: 'new' | 'open' | 'over' = 'new';
  /** Why the stream is over, until somebody has been told. */
  #unsaid: SoukError | undefined;
  #failResponse: ((error: SoukError) => void) | undefined;
  #failRequest: ((error: SoukError) => void) | undefined;
  #movedMs: number;
  #sent = 0;
  #received = 0;

  constructor(around: StreamSurroundings, method: RoutedStream, facts: CallFacts, requests: AsyncIterable<Message>) {
    this.#around = around;
    this.#method = method;
    this.#facts = facts;
    this.#requests = requests[Symbol.asyncIterator]();
    const longest = method.limits.maxStreamMs ?? method.rules.timeoutMs ?? around.maxStreamMs;
    this.#timeoutMs = Math.min(facts.timeoutMs ?? longest, longest);
    this.idleMs = method.limits.idleMs ?? around.idleMs;
    this.#movedMs = around.runtime.clock.monotonicMs();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    if (this.#state === 'new') this.#begin();
    if (this.#state === 'over') return this.#afterEnd();
    const responses = this.#responses as AsyncIterator<Message>;
    return new Promise((resolve, reject) => {
      this.#failResponse = reject;
      responses.next().then(
        (result) => {
          if (this.#state === 'over') return;
          if (result.done === true) {
            this.#end(this.#cutOff());
            // Does nothing for a stream that was cut off: its error has been said.
            return resolve(DONE);
          }
          this.#failResponse = undefined;
          this.#movedMs = this.#around.runtime.clock.monotonicMs();
          this.#sent += 1;
          this.#method.metrics.sent();
          resolve(result);
        },
        (thrown) => this.#end(fromUnknown(thrown)),
      );
    });
  }

  /** The caller takes no more. */
  async return(): Promise<Result> {
    if (this.#state === 'new') {
      this.#state = 'over';
      await this.#requests.return?.();
    } else this.#end(kernelErrors.CANCELED());
    this.#unsaid = undefined;
    return DONE;
  }

  /** Ends the stream from outside. */
  stop(error: SoukError): void {
    this.#end(error);
  }

  /** @returns whether the caller has kept us waiting for too long */
  isIdle(nowMs: number): boolean {
    const waits = this.#failRequest !== undefined || this.#failResponse === undefined;
    return this.#state === 'open' && waits && nowMs - this.#movedMs >= this.idleMs;
  }

  #begin(): void {
    const { runtime, deadlines } = this.#around;
    const facts = this.#facts;
    const { headers } = facts;
    const method = this.#method;
    this.#state = 'open';
    this.#root = rootContext({
      runtime,
      timeoutMs: this.#timeoutMs,
      signal: this.#gone.signal,
      trace: facts.trace ?? parseTraceparent(headers.traceparent, headers.tracestate) ?? newTrace(runtime, true),
      caller: facts.caller,
      routing: routingOf(headers),
    });
    const attributes = { 'rpc.system': 'souk' };
    this.#span = method.telemetry.tracer.start(this.#root, method.name, { kind: 'server', attributes });
    this.#ctx = this.#root.with({ trace: this.#span.trace, log: method.log });
    method.metrics.opened();
    const life = new Promise<void>((resolve) => {
      this.#finished = resolve;
    });
    deadlines.within(this.#timeoutMs, facts.signal, life).catch((error: SoukError) => this.#end(error));
    try {
      this.#around.opened(this);
      if (facts.signal?.aborted) throw kernelErrors.CANCELED({}, { cause: facts.signal.reason });
      if (this.#timeoutMs <= 0) throw kernelErrors.DEADLINE_EXCEEDED();
      admit(method, facts.caller);
      const idempotencyKey = readIdempotencyKey(method, headers['idempotency-key']);
      if (idempotencyKey !== undefined) this.#ctx = this.#ctx.with({ idempotencyKey });
      this.#leave = method.gate.enter();
      const call = {
        ctx: this.#ctx,
        method: method.name,
        desc: method.desc,
        rules: method.rules,
        requests: this.#reader(),
        headers,
      };
      this.#responses = method.run(call)[Symbol.asyncIterator]();
    } catch (thrown) {
      this.#end(fromUnknown(thrown));
    }
  }

  /** A handler that hears that its time is over may end as if it had said all; it is heard a moment before the deadline itself. */
  #cutOff(): SoukError | undefined {
    try {
      this.#root?.throwIfDone();
      return undefined;
    } catch (thrown) {
      return fromUnknown(thrown);
    }
  }

  /** The requests as the handler sees them. */
  #reader(): AsyncIterableIterator<Message, undefined> {
    return {
      next: () => this.#nextRequest(),
      return: async () => {
        await this.#requests.return?.();
        return DONE;
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  #nextRequest(): Promise<Result> {
    if (this.#state === 'over') return Promise.reject(this.#gone.signal.reason ?? kernelErrors.CANCELED());
    return new Promise((resolve, reject) => {
      this.#failRequest = reject;
      this.#requests.next().then(
        (result) => {
          if (this.#state === 'over') return;
          this.#failRequest = undefined;
          this.#movedMs = this.#around.runtime.clock.monotonicMs();
          if (result.done === true) return resolve(DONE);
          this.#received += 1;
          this.#method.metrics.received();
          try {
            this.#check(result.value);
          } catch (thrown) {
            reject(thrown);
            return this.#end(fromUnknown(thrown));
          }
          resolve(result);
        },
        (thrown) => this.#end(fromUnknown(thrown)),
      );
    });
  }

  #check(request: Message): void {
    const violations = this.#method.validate(request);
    if (violations.length > 0) throw rpcErrors.INVALID_REQUEST({}, { violations });
    admitOwner(this.#method, this.#facts.caller, request);
  }

  /** @param thrown undefined: the handler is done */
  #end(thrown: SoukError | undefined): void {
    if (this.#state !== 'open') return;
    this.#state = 'over';
    this.#around.closed(this);
    let error: SoukError | undefined;
    if (thrown !== undefined) {
      error = logFailure(this.#around.runtime, this.#ctx as Context, thrown);
      this.#unsaid = error;
      this.#gone.abort(error);
      this.#failRequest?.(error);
      if (this.#failResponse !== undefined) {
        this.#failResponse(error);
        this.#unsaid = undefined;
      }
    }
    this.#finished?.();
    this.#letGo(thrown !== undefined);
    this.#method.metrics.closed(error?.code ?? 'ok');
    const span = this.#span as Span;
    span.set('rpc.messages_sent', this.#sent);
    span.set('rpc.messages_received', this.#received);
    if (error !== undefined) span.fail(error);
    span.end();
    // A cancelled context frees its timer itself, and must say so also to who asks late.
    if (error === undefined) this.#root?.[Symbol.dispose]();
  }

  /** Ends both iterations. Nobody waits for that, but the place in the gate is free only then. */
  #letGo(early: boolean): void {
    const onFault = (thrown: unknown): void =>
      this.#ctx?.log.debug('a stream did not end cleanly', { err: fromUnknown(thrown) });
    Promise.resolve(this.#requests.return?.()).catch(onFault);
    const handlerDone = early ? Promise.resolve(this.#responses?.return?.()) : Promise.resolve();
    handlerDone.catch(onFault).finally(() => this.#leave?.());
  }

  #afterEnd(): Promise<Result> {
    const error = this.#unsaid;
    this.#unsaid = undefined;
    return error === undefined ? Promise.resolve(DONE) : Promise.reject(error);
  }
}
