import { discoveryErrors, type RegistryHealth } from '@souk/discovery';
import { fromUnknown } from '@souk/kernel';
import { Etcd3, type IOptions } from 'etcd3';
import type { EtcdSettings } from './options.ts';

type FaultHandling = NonNullable<IOptions['faultHandling']>;
type Policy = NonNullable<FaultHandling['global']>;

/** The answer of a member that is at work, though it may be no. Everything else says that this connection is no good. */
const ANSWERS = new Set([
  'GRPCInvalidArgumentError',
  'GRPCNotFoundError',
  'GRPCAlreadyExistsError',
  'GRPCResourceExhastedError',
  'GRPCFailedPreconditionError',
  'GRPCOutOfRangeError',
  'EtcdPermissionDeniedError',
  'EtcdLeaseInvalidError',
]);

const LONGEST_TEXT = 300;
/** A whole service may come in one answer: ten thousand instances are 4 MB. */
const LONGEST_ANSWER = 64 * 1024 * 1024;

export interface Attempt {
  /** For single requests. When one is refused, the library ends whatever else runs over the same object. */
  readonly client: Etcd3;
  /** For watches. Shares the connection. */
  readonly watcher: Etcd3;
  readonly host: string;
  /** Aborts when this client is given up. Nothing of it is good after that. */
  readonly signal: AbortSignal;
}

/**
 * One client for one member at a time; when it fails, the next member is taken. Whoever uses it tells how it went.
 *
 *   connecting --succeeded--> connected --failed--> connecting (next host) ...      close(): --> closed
 *
 * The library's own repeating and circuit breaking are off: what repeats here does so for ever, with pauses of its own.
 */
export class Connection {
  readonly #settings: EtcdSettings;
  #attempt: (Attempt & { readonly control: AbortController }) | undefined;
  #attempts = 0;
  #state: RegistryHealth['state'] = 'connecting';
  #sinceMs: number;
  #lastError: string | undefined;

  constructor(settings: EtcdSettings) {
    this.#settings = settings;
    this.#sinceMs = settings.runtime.clock.monotonicMs();
  }

  /** @throws DISCOVERY_CLOSED */
  current(): Attempt {
    if (this.#state === 'closed') throw closed();
    this.#attempt ??= this.#open();
    return this.#attempt;
  }

  /** When a call has to be answered. The library wants wall time and turns it into a duration at once. */
  deadline(): { deadline: number } {
    return { deadline: this.#settings.runtime.clock.now() + this.#settings.callMs };
  }

  succeeded({ client, host }: Attempt): void {
    if (client !== this.#attempt?.client) return;
    if (this.#state === 'connecting') this.#settings.log.info('connected to the registry', { host });
    this.#turn('connected');
    this.#lastError = undefined;
  }

  /** @param thrown What went wrong with it. */
  failed(attempt: Attempt, thrown: unknown): void {
    if (attempt.client !== this.#attempt?.client) return;
    const before = this.#lastError;
    this.#lastError = describe(thrown);
    const facts = { host: attempt.host, why: this.#lastError };
    if (thrown instanceof Error && ANSWERS.has(thrown.constructor.name)) {
      if (this.#lastError !== before) this.#settings.log.warn('the registry refused a request', facts);
      return;
    }
    if (this.#state === 'connected') this.#settings.log.warn('lost the registry', facts);
    else this.#settings.log.debug('the registry could not be reached', { ...facts, err: fromUnknown(thrown) });
    this.#drop();
    this.#turn('connecting');
  }

  health(): RegistryHealth {
    const sinceMs = this.#settings.runtime.clock.monotonicMs() - this.#sinceMs;
    return { state: this.#state, sinceMs, lastError: this.#lastError };
  }

  close(): void {
    this.#drop();
    this.#turn('closed');
  }

  #open(): Attempt & { readonly control: AbortController } {
    const { hosts, auth, tls, callMs, pingMs, runtime } = this.#settings;
    const host = hosts[this.#attempts++ % hosts.length] as string;
    const control = new AbortController();
    const init: IOptions = {
      hosts: host,
      ...(auth === undefined ? {} : { auth: { ...auth, callOptions: () => this.deadline() } }),
      ...(tls === undefined ? {} : { credentials: toCredentials(tls) }),
      faultHandling: { host: () => passThrough, global: passThrough },
      grpcOptions: {
        // A connection that is half open says nothing for hours.
        'grpc.keepalive_time_ms': pingMs,
        'grpc.keepalive_timeout_ms': callMs,
        'grpc.keepalive_permit_without_calls': 1,
        'grpc.max_receive_message_length': LONGEST_ANSWER,
        // Clients with equal options share connections, also one that was given up.
        'grpc.primary_user_agent': `souk/${runtime.ids.uuid()}`,
      },
    };
    return { client: new Etcd3(init), watcher: new Etcd3(init), host, control, signal: control.signal };
  }

  #drop(): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.control.abort(closed());
    attempt?.client.close();
    attempt?.watcher.close();
  }

  #turn(state: RegistryHealth['state']): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#sinceMs = this.#settings.runtime.clock.monotonicMs();
  }
}

const closed = () => discoveryErrors.CLOSED({ registry: 'etcd' });

const passThrough: Policy = {
  _altReturn: undefined as never,
  onSuccess: () => ({ dispose: () => {} }),
  onFailure: () => ({ dispose: () => {} }),
  execute: async (run, signal = new AbortController().signal) => run({ signal }),
};

const toCredentials = ({ ca, cert, key }: NonNullable<EtcdSettings['tls']>): NonNullable<IOptions['credentials']> => ({
  rootCertificate: Buffer.from(ca),
  ...(cert === undefined ? {} : { certChain: Buffer.from(cert) }),
  ...(key === undefined ? {} : { privateKey: Buffer.from(key) }),
});

/** In a line. */
export function describe(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return (text.split('\n')[0] ?? '').slice(0, LONGEST_TEXT);
}
