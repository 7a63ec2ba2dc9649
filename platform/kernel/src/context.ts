import { kernelErrors } from './error-catalogue.ts';
import { type Logger, silentLogger } from './logger.ts';
import type { Runtime } from './runtime.ts';
import type { Timer } from './time.ts';

/** Position of a call in a distributed trace (W3C Trace Context). */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits: the span that is the parent of what happens next. */
  readonly spanId: string;
  readonly sampled: boolean;
  readonly tracestate?: string | undefined;
}

/** Who calls. Nobody signed in and no service: anonymous. */
export interface Caller {
  /** The user on whose behalf the call is made. */
  readonly userId?: string | undefined;
  /** Roles of the user. */
  readonly roles: readonly string[];
  /** The service that makes the call. Set by our own transports only, never taken from outside. */
  readonly service?: string | undefined;
}

export const ANONYMOUS: Caller = Object.freeze({ roles: Object.freeze([]) });

/**
 * What travels with a call: deadline and cancellation, trace, caller, logger. Immutable and always passed explicitly as the
 * first argument.
 */
export interface Context {
  /** Aborts when the caller gives up or the deadline passes. Made on first use; read it only where it is needed. */
  readonly signal: AbortSignal;
  /** Monotonic milliseconds at which the call's time is over; `Infinity` when it has no limit. */
  readonly deadlineMs: number;
  readonly trace: TraceContext;
  readonly caller: Caller;
  readonly log: Logger;
  /** The caller's promise: the same key means the same operation, whatever the attempt. */
  readonly idempotencyKey: string | undefined;
  /** Milliseconds left until the deadline; at least 0; `Infinity` without one. */
  remainingMs(): number;
  /** @throws SOUK_CANCELED or SOUK_DEADLINE_EXCEEDED when the call is over */
  throwIfDone(): void;
  /** A context for a part of this call. Its deadline can only be earlier, and it is cancelled with its parent. */
  with(change: ContextChange): Context;
  /** Frees the timer of this context. Whoever makes a context with a deadline disposes of it when the call ends. */
  [Symbol.dispose](): void;
}

export interface ContextChange {
  /** Milliseconds from now; the earlier of this and the parent's deadline holds. */
  readonly timeoutMs?: number | undefined;
  /** Cancels this context too. */
  readonly signal?: AbortSignal | undefined;
  readonly trace?: TraceContext | undefined;
  readonly caller?: Caller | undefined;
  readonly log?: Logger | undefined;
  /** `null` removes the parent's key. */
  readonly idempotencyKey?: string | null | undefined;
}

export interface RootContextInit extends ContextChange {
  readonly runtime: Runtime;
}

/** A context with no parent: for an incoming call, a timer, a message, a test. */
export function rootContext(init: RootContextInit): Context {
  const { runtime } = init;
  return new CallContext(runtime, undefined, {
    ...init,
    trace: init.trace ?? newTrace(runtime, true),
    caller: init.caller ?? ANONYMOUS,
    log: init.log ?? silentLogger,
  });
}

/** A trace that begins here. */
export function newTrace(runtime: Runtime, sampled: boolean): TraceContext {
  return { traceId: hex(runtime, 16), spanId: hex(runtime, 8), sampled };
}

const hex = (runtime: Runtime, bytes: number): string => Buffer.from(runtime.random.bytes(bytes)).toString('hex');

class CallContext implements Context {
  readonly deadlineMs: number;
  readonly trace: TraceContext;
  readonly caller: Caller;
  readonly log: Logger;
  readonly idempotencyKey: string | undefined;
  readonly #runtime: Runtime;
  readonly #parent: CallContext | undefined;
  readonly #outer: AbortSignal | undefined;
  #controller: AbortController | undefined;
  #timer: Timer | undefined;
  #unlink: (() => void) | undefined;

  constructor(runtime: Runtime, parent: CallContext | undefined, change: ContextChange) {
    this.#runtime = runtime;
    this.#parent = parent;
    this.#outer = change.signal;
    const own = change.timeoutMs === undefined ? Number.POSITIVE_INFINITY : runtime.clock.monotonicMs() + change.timeoutMs;
    this.deadlineMs = Math.min(parent?.deadlineMs ?? Number.POSITIVE_INFINITY, own);
    this.trace = (change.trace ?? parent?.trace) as TraceContext;
    this.caller = change.caller ?? parent?.caller ?? ANONYMOUS;
    this.log = change.log ?? parent?.log ?? silentLogger;
    this.idempotencyKey = change.idempotencyKey === null ? undefined : (change.idempotencyKey ?? parent?.idempotencyKey);
  }

  get signal(): AbortSignal {
    const parent = this.#parent;
    if (parent && this.#outer === undefined && this.deadlineMs === parent.deadlineMs) return parent.signal;
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      this.#link(this.#controller);
    }
    return this.#controller.signal;
  }

  remainingMs(): number {
    return Math.max(0, this.deadlineMs - this.#runtime.clock.monotonicMs());
  }

  throwIfDone(): void {
    if (this.#outer?.aborted) throw this.signal.reason;
    if (this.remainingMs() === 0) throw kernelErrors.DEADLINE_EXCEEDED();
    this.#controller?.signal.throwIfAborted();
    this.#parent?.throwIfDone();
  }

  with(change: ContextChange): Context {
    return new CallContext(this.#runtime, this, change);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#unlink?.();
  }

  #link(controller: AbortController): void {
    const sources = [this.#parent?.signal, this.#outer].filter((signal) => signal !== undefined);
    const abort = (source: AbortSignal) => () => {
      const { reason } = source;
      const ours = reason instanceof Error && reason.name === 'SoukError';
      controller.abort(ours ? reason : kernelErrors.CANCELED({}, { cause: reason }));
      this[Symbol.dispose]();
    };
    const listeners = sources.map((source) => ({ source, listener: abort(source) }));
    for (const { source, listener } of listeners) {
      if (source.aborted) return listener();
      source.addEventListener('abort', listener, { once: true });
    }
    this.#unlink = () => {
      for (const { source, listener } of listeners) source.removeEventListener('abort', listener);
    };
    if (Number.isFinite(this.deadlineMs)) {
      this.#timer = this.#runtime.timers.after(this.remainingMs(), () => {
        controller.abort(kernelErrors.DEADLINE_EXCEEDED());
        this[Symbol.dispose]();
      });
    }
  }
}
