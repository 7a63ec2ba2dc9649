import { kernelErrors } from './error-catalogue.ts';
import { type Logger, silentLogger } from './logger.ts';
import type { Runtime } from './runtime.ts';
import { isSoukError, type SoukError } from './souk-error.ts';
import type { Timer } from './time.ts';
import { newTrace, type TraceContext } from './trace-context.ts';

/** Who calls. Nobody signed in and no service: anonymous. */
export interface Caller {
  /** The user on whose behalf the call is made. */
  readonly userId?: string | undefined;
  /** Roles of the user. */
  readonly roles: readonly string[];
  /** The service that makes the call. Set by our own transports only, never taken from outside. */
  readonly service?: string | undefined;
}

/** What a caller wishes of the choice of instances. Goes along with every further call. */
export interface Routing {
  /** Version of the instances to ask, where there are any: as a tester wants it. */
  readonly version?: string | undefined;
  /** Calls with the same key are served by the same instance, where that is balanced by key. */
  readonly affinity?: string | undefined;
}

export const ANONYMOUS: Caller = Object.freeze({ roles: Object.freeze([]) });

/**
 * What travels with a call: deadline and cancellation, trace, caller, logger. Immutable and always passed explicitly as the
 * first argument.
 */
export interface Context {
  /** Aborts when the caller gives up or the deadline passes. Made on first use; read it only where it is needed. */
  readonly signal: AbortSignal;
  /**
   * Aborts when the caller gives up, and maybe when the deadline passes; undefined when nobody can give up. Costs less than `signal`: for
   * those who keep the deadline themselves.
   */
  readonly cancellation: AbortSignal | undefined;
  /** Monotonic milliseconds at which the call's time is over; `Infinity` when it has no limit. */
  readonly deadlineMs: number;
  readonly trace: TraceContext;
  readonly caller: Caller;
  /** Its lines carry this context's trace. */
  readonly log: Logger;
  /** The caller's promise: the same key means the same operation, whatever the attempt. */
  readonly idempotencyKey: string | undefined;
  readonly routing: Routing | undefined;
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
  /** Milliseconds from now; the earlier of this and the parent's deadline holds. 0, less or NaN: over at once. */
  readonly timeoutMs?: number | undefined;
  /** Cancels this context too. */
  readonly signal?: AbortSignal | undefined;
  readonly trace?: TraceContext | undefined;
  readonly caller?: Caller | undefined;
  readonly log?: Logger | undefined;
  /** `null` removes the parent's key. */
  readonly idempotencyKey?: string | null | undefined;
  readonly routing?: Routing | undefined;
}

export interface RootContextInit extends ContextChange {
  readonly runtime: Runtime;
}

/** A context with no parent: for an incoming call, a timer, a message, a test. */
export function rootContext(init: RootContextInit): Context {
  return new CallContext(init.runtime, undefined, init);
}

class CallContext implements Context {
  readonly deadlineMs: number;
  readonly trace: TraceContext;
  readonly caller: Caller;
  readonly idempotencyKey: string | undefined;
  readonly routing: Routing | undefined;
  readonly #runtime: Runtime;
  readonly #parent: CallContext | undefined;
  readonly #outer: AbortSignal | undefined;
  /** False when nothing can end this context, so nobody has to listen to it. */
  readonly endable: boolean;
  /** As it was given; `log` is the same one bound to this context's trace. */
  readonly givenLog: Logger;
  #log: Logger | undefined;
  #controller: AbortController | undefined;
  #timer: Timer | undefined;
  #unlink: (() => void) | undefined;
  #disposed = false;

  constructor(runtime: Runtime, parent: CallContext | undefined, change: ContextChange) {
    this.#runtime = runtime;
    this.#parent = parent;
    this.#outer = change.signal;
    this.deadlineMs = Math.min(parent?.deadlineMs ?? Number.POSITIVE_INFINITY, deadline(runtime, change.timeoutMs));
    const limited = this.deadlineMs !== Number.POSITIVE_INFINITY;
    this.endable = limited || change.signal !== undefined || (parent?.endable ?? false);
    this.trace = change.trace ?? parent?.trace ?? newTrace(runtime, true);
    this.caller = change.caller ?? parent?.caller ?? ANONYMOUS;
    this.givenLog = change.log ?? parent?.givenLog ?? silentLogger;
    this.idempotencyKey =
      change.idempotencyKey === null ? undefined : (change.idempotencyKey ?? parent?.idempotencyKey);
    this.routing = change.routing ?? parent?.routing;
  }

  get log(): Logger {
    this.#log ??= this.givenLog.forTrace?.(this.trace) ?? this.givenLog;
    return this.#log;
  }

  get signal(): AbortSignal {
    const parent = this.#parent;
    if (parent && this.#outer === undefined && this.deadlineMs === parent.deadlineMs) return parent.signal;
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (!this.#disposed) this.#link(this.#controller);
    }
    return this.#controller.signal;
  }

  get cancellation(): AbortSignal | undefined {
    const inherited = this.#parent?.cancellation;
    if (this.#outer === undefined) return inherited;
    return inherited === undefined || inherited === this.#outer ? this.#outer : this.signal;
  }

  remainingMs(): number {
    return Math.max(0, this.deadlineMs - this.#runtime.clock.monotonicMs());
  }

  throwIfDone(): void {
    this.#throwIfEnded();
    // No parent has less time.
    if (this.deadlineMs !== Number.POSITIVE_INFINITY && this.remainingMs() === 0)
      throw kernelErrors.DEADLINE_EXCEEDED();
  }

  /** What ended the call first is what is said, also when the deadline passes later. */
  #throwIfEnded(): void {
    this.#controller?.signal.throwIfAborted();
    if (this.#outer?.aborted) throw endedBy(this.#outer.reason);
    if (this.#parent !== undefined) this.#parent.#throwIfEnded();
  }

  with(change: ContextChange): Context {
    return new CallContext(this.#runtime, this, change);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.cancel();
    this.#unlink?.();
  }

  #link(controller: AbortController): void {
    const parent = this.#parent;
    const sources = [parent?.endable ? parent.signal : undefined, this.#outer].filter((one) => one !== undefined);
    const end = (error: unknown) => {
      controller.abort(error);
      this[Symbol.dispose]();
    };
    const ended = sources.find((source) => source.aborted);
    if (ended !== undefined) {
      end(endedBy(ended.reason));
      return;
    }
    const onAbort = (event: Event) => end(endedBy((event.target as AbortSignal).reason));
    for (const source of sources) source.addEventListener('abort', onAbort);
    this.#unlink = () => {
      for (const source of sources) source.removeEventListener('abort', onAbort);
    };
    // The parent's own timer ends both when the deadline is the parent's.
    if (this.deadlineMs === (parent?.deadlineMs ?? Number.POSITIVE_INFINITY)) return;
    const restMs = this.remainingMs();
    if (restMs === 0) end(kernelErrors.DEADLINE_EXCEEDED());
    else this.#timer = this.#runtime.timers.after(restMs, () => end(kernelErrors.DEADLINE_EXCEEDED()));
  }
}

/** What is not a number ends the call at once: unlimited would be the worse mistake. */
function deadline(runtime: Runtime, timeoutMs: number | undefined): number {
  if (timeoutMs === undefined) return Number.POSITIVE_INFINITY;
  return runtime.clock.monotonicMs() + Math.max(0, timeoutMs || 0);
}

/** Why a signal ended the call, as one of our errors. */
function endedBy(reason: unknown): SoukError {
  if (isSoukError(reason)) return reason;
  const timedOut = reason instanceof DOMException && reason.name === 'TimeoutError';
  return timedOut
    ? kernelErrors.DEADLINE_EXCEEDED({}, { cause: reason })
    : kernelErrors.CANCELED({}, { cause: reason });
}
