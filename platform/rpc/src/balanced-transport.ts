import {
  discoveryErrors,
  type Instance,
  type Outcome,
  type Picked,
  type Picker,
  type PickRequest,
  type ServiceView,
} from '@souk/discovery';
import { fromUnknown, type Runtime } from '@souk/kernel';
import type { Counter, Telemetry } from '@souk/telemetry';
import { whyCanceled } from './deadline.ts';
import { rpcErrors } from './errors.ts';
import { isNotSent, isUnreachable } from './not-sent.ts';
import {
  AFFINITY_HEADER,
  type InstanceTransport,
  MIRROR_HEADER,
  type Transport,
  VERSION_HEADER,
  type WireCall,
  type WireRequest,
  type WireResponse,
  type WireStreamRequest,
} from './wire.ts';

/** A picker that may also say which instance gets a copy of a call. */
export interface MirroringPicker extends Picker {
  /** Called once per call. @returns undefined when nobody gets a copy of this one */
  mirror?(request: PickRequest): Picked | undefined;
}

export interface BalancedTransportOptions {
  /** As the registry names it. */
  readonly service: string;
  /** Closed together with this transport. */
  readonly picker: MirroringPicker;
  /** The way to one instance. Made when it is first chosen, closed when it is gone. */
  readonly connect: (instance: Instance) => InstanceTransport;
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>;
  readonly telemetry?: Telemetry;
  /**
   * Longest wait for an instance where there is none, or none but one that cannot be reached, in milliseconds; never longer than the call may
   * take. @default 0
   */
  readonly waitMs?: number;
  /** What calls stick by. @default the header `x-souk-affinity`, or the id of the user for whom the call is made */
  readonly keyOf?: (request: WireCall) => string | undefined;
}

/** Carries calls to instances of one service. A stream stays on the instance where it began. */
export interface BalancedTransport extends Transport {
  stream(request: WireStreamRequest): AsyncIterable<Uint8Array>;
  /**
   * Takes over what the registry says now, for the picker too. Connections to instances that are gone or on their way out are closed as
   * soon as they are idle.
   */
  update(view: ServiceView): void;
  /** Calls under way end; new ones are refused. */
  close(): Promise<void>;
}

/*
 * B1 The picker is told how a call on an instance ended exactly once, however it ended.
 * B2 An attempt goes to an instance that the call has not tried, while there is one.
 * B3 A call goes to a second instance within an attempt only when nothing was sent to the first, and to no third.
 */

const OUTCOMES = {
  ok: { kind: 'ok' },
  error: { kind: 'error' },
  unreachable: { kind: 'unreachable' },
  canceled: { kind: 'canceled' },
} as const satisfies Record<Outcome['kind'], Outcome>;

/** Copies under way; what is more is not copied. */
const MAX_COPIES = 64;
/** Calls that wait for an instance; what is more is refused at once. */
const MAX_WAITING = 1000;

interface Way {
  readonly instance: Instance;
  readonly transport: InstanceTransport;
}

export function createBalancedTransport(options: BalancedTransportOptions): BalancedTransport {
  return new PickingTransport(options);
}

class PickingTransport implements BalancedTransport {
  readonly #options: BalancedTransportOptions;
  readonly #picker: MirroringPicker;
  readonly #keyOf: (request: WireCall) => string | undefined;
  readonly #counts: Counts | undefined;
  /** By instance id. */
  readonly #ways = new Map<string, Way>();
  /** Called after each change. */
  readonly #waiting = new Set<() => void>();
  #copies = 0;
  #isClosed = false;

  constructor(options: BalancedTransportOptions) {
    this.#options = options;
    this.#picker = options.picker;
    this.#keyOf = options.keyOf ?? stickyKey;
    this.#counts = options.telemetry && countsOf(options.telemetry, options.service);
  }

  update(view: ServiceView): void {
    if (this.#isClosed) return;
    this.#picker.update(view);
    const open = new Map(view.instances.filter(({ terminating }) => !terminating).map((one) => [one.id, one]));
    for (const [id, { instance, transport }] of this.#ways) {
      const now = open.get(id);
      if (now !== undefined && isSame(now, instance)) continue;
      this.#ways.delete(id);
      void transport.close();
    }
    for (const tell of [...this.#waiting]) tell();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const tell of [...this.#waiting]) tell();
    this.#picker.close();
    const ways = [...this.#ways.values()];
    this.#ways.clear();
    await Promise.all(ways.map(({ transport }) => transport.close()));
  }

  async send(request: WireRequest): Promise<WireResponse> {
    const { clock } = this.#options.runtime;
    const wish = this.#wishOf(request);
    let picked = this.#pick(wish);
    let sent = request;
    const startedMs = clock.monotonicMs();
    if (picked === undefined) {
      picked = await this.#awaited(wish, request, startedMs);
      sent = withLess(request, clock.monotonicMs() - startedMs);
    }
    if (this.#picker.mirror !== undefined) this.#mirror(wish, sent);
    const first = picked.instance;
    try {
      return await this.#ask(picked, sent);
    } catch (thrown) {
      if (!isNotSent(thrown)) throw thrown;
      const other = this.#other(wish, first, request) ?? (await this.#successor(wish, first, request, startedMs));
      if (other === undefined) throw thrown;
      this.#counts?.moved.add(1, this.#counts.labels);
      return await this.#ask(other, withLess(request, clock.monotonicMs() - startedMs));
    }
  }

  async *stream(request: WireStreamRequest): AsyncGenerator<Uint8Array, void, undefined> {
    const startedMs = this.#options.runtime.clock.monotonicMs();
    const wish = this.#wishOf(request);
    const picked = this.#pick(wish) ?? (await this.#awaited(wish, request, startedMs));
    // Left early by its caller, a stream says nothing of the instance.
    let outcome: Outcome = OUTCOMES.canceled;
    try {
      request.tried?.add(picked.instance.id);
      const way = this.#wayTo(picked.instance);
      if (way.stream === undefined) throw rpcErrors.NO_STREAMS({ service: this.#options.service });
      yield* way.stream(request);
      outcome = OUTCOMES.ok;
    } catch (thrown) {
      outcome = outcomeOf(thrown, request);
      throw thrown;
    } finally {
      picked.done(outcome);
    }
  }

  async #ask(picked: Picked, request: WireRequest): Promise<WireResponse> {
    let outcome: Outcome = OUTCOMES.ok;
    try {
      request.tried?.add(picked.instance.id);
      return await this.#wayTo(picked.instance).send(request);
    } catch (thrown) {
      outcome = outcomeOf(thrown, request);
      throw thrown;
    } finally {
      picked.done(outcome);
    }
  }

  #pick(wish: PickRequest): Picked | undefined {
    return this.#isClosed ? undefined : this.#picker.pick(wish);
  }

  /** An instance besides the first, if the picker has one. */
  #other(wish: PickRequest, first: Instance, { tried }: WireRequest): Picked | undefined {
    const picked = this.#pick({ ...wish, avoid: tried ?? new Set([first.id]) });
    if (picked?.instance.id !== first.id) return picked;
    picked.done(OUTCOMES.canceled);
    return undefined;
  }

  /**
   * Another run than the one that is not there: whoever keeps processes running starts one within seconds, and the registry tells of it.
   * @returns undefined when none has come in time. @throws SOUK_CANCELED
   */
  async #successor(
    wish: PickRequest,
    first: Instance,
    request: WireRequest,
    startedMs: number,
  ): Promise<Picked | undefined> {
    const { runtime, waitMs = 0 } = this.#options;
    const untilMs = startedMs + Math.min(waitMs, request.timeoutMs ?? Number.POSITIVE_INFINITY);
    for (;;) {
      const leftMs = untilMs - runtime.clock.monotonicMs();
      if (this.#isClosed || leftMs <= 0 || this.#waiting.size >= MAX_WAITING) return undefined;
      await this.#change(leftMs, request.signal);
      const picked = this.#pick(wish);
      if (picked === undefined) continue;
      if (!isSame(picked.instance, first)) return picked;
      picked.done(OUTCOMES.canceled);
    }
  }

  #wishOf(request: WireCall): PickRequest {
    return { key: this.#keyOf(request), avoid: request.tried, version: request.headers[VERSION_HEADER] };
  }

  #wayTo(instance: Instance): InstanceTransport {
    const known = this.#ways.get(instance.id);
    if (known !== undefined) {
      if (known.instance === instance || isSame(known.instance, instance)) return known.transport;
      void known.transport.close();
    }
    const transport = this.#options.connect(instance);
    this.#ways.set(instance.id, { instance, transport });
    return transport;
  }

  /** @throws DISCOVERY_NO_INSTANCE when none has appeared in time, SOUK_CANCELED */
  async #awaited(wish: PickRequest, request: WireCall, startedMs: number): Promise<Picked> {
    const { service, runtime, waitMs = 0 } = this.#options;
    const untilMs = startedMs + Math.min(waitMs, request.timeoutMs ?? Number.POSITIVE_INFINITY);
    for (;;) {
      const leftMs = untilMs - runtime.clock.monotonicMs();
      if (this.#isClosed || leftMs <= 0 || this.#waiting.size >= MAX_WAITING) {
        this.#counts?.missing.add(1, this.#counts.labels);
        throw discoveryErrors.NO_INSTANCE({
          service,
          why: this.#isClosed ? 'this process is stopping' : 'none is ready',
        });
      }
      await this.#change(leftMs, request.signal);
      const picked = this.#pick(wish);
      if (picked !== undefined) return picked;
    }
  }

  /** Resolves with the next change, or when the time is over. @throws SOUK_CANCELED */
  #change(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(onChange);
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      const onChange = (): void => {
        leave();
        resolve();
      };
      const onAbort = (): void => {
        leave();
        reject(whyCanceled(signal?.reason));
      };
      const timer = this.#options.runtime.timers.after(timeoutMs, onChange);
      this.#waiting.add(onChange);
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted) onAbort();
    });
  }

  /** Sends a copy that nobody waits for. Only of what may be done twice, and of no second attempt. */
  #mirror(wish: PickRequest, request: WireRequest): void {
    if (request.repeatable !== true || (request.tried?.size ?? 0) > 0 || this.#copies >= MAX_COPIES) return;
    const picked = this.#picker.mirror?.(wish);
    if (picked === undefined) return;
    const headers = { ...request.headers, [MIRROR_HEADER]: '1' };
    this.#copies++;
    this.#counts?.copied.add(1, this.#counts.labels);
    this.#ask(picked, { ...request, headers, signal: undefined, tried: undefined, repeatable: false }).then(
      () => void this.#copies--,
      // How it ended, the picker has been told.
      () => void this.#copies--,
    );
  }
}

/** The same run of the same process at the same place. */
const isSame = (one: Instance, other: Instance): boolean =>
  one.incarnation === other.incarnation &&
  one.port === other.port &&
  one.address === other.address &&
  one.protocol === other.protocol;

const stickyKey = ({ headers, caller }: WireCall): string | undefined => headers[AFFINITY_HEADER] ?? caller?.userId;

function withLess(request: WireRequest, spentMs: number): WireRequest {
  if (request.timeoutMs === undefined) return request;
  return { ...request, timeoutMs: Math.max(0, request.timeoutMs - spentMs) };
}

function outcomeOf(thrown: unknown, { signal }: WireCall): Outcome {
  if (signal?.aborted) return OUTCOMES.canceled;
  const error = fromUnknown(thrown);
  switch (error.code) {
    case 'canceled':
      return OUTCOMES.canceled;
    case 'deadline_exceeded':
      return OUTCOMES.unreachable;
    case 'unavailable':
      return isUnreachable(error) ? OUTCOMES.unreachable : OUTCOMES.error;
    case 'internal':
    case 'unknown':
    case 'data_loss':
      return OUTCOMES.error;
    default:
      return OUTCOMES.ok;
  }
}

interface Counts {
  readonly labels: { readonly target: string };
  readonly moved: Counter<'target'>;
  readonly missing: Counter<'target'>;
  readonly copied: Counter<'target'>;
}

function countsOf({ metrics }: Telemetry, target: string): Counts {
  const counter = (name: string, help: string) => metrics.counter({ name, help, labels: ['target'] });
  return {
    labels: { target },
    moved: counter(
      'rpc_client_moved_total',
      'Calls that went to another instance because the first could not be reached.',
    ),
    missing: counter('rpc_client_no_instance_total', 'Calls for which there was no instance.'),
    copied: counter('rpc_client_mirrored_total', 'Copies of calls sent to a mirror.'),
  };
}
