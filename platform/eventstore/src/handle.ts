import { type Context, hasReason } from '@souk/kernel';
import type { Database, Transaction } from '@souk/store';
import type { AppendResult } from './append.ts';
import type { EventMetadata } from './event.ts';
import type { EventStore } from './event-store.ts';
import type { Decider } from './fold.ts';
import type { Loaded, Snapshots } from './snapshot.ts';

/** Attempts of a command that meets other appends to its stream. */
const ATTEMPTS = 5;

export interface CommandOptions {
  readonly metadata?: EventMetadata;
  /** Loads by snapshots; `hash` changes whenever the decider's `evolve` or `initial` does. */
  readonly snapshots?: { readonly from: Snapshots; readonly name: string; readonly hash: string };
}

/** What a command led to. */
export interface Handled<TState, TEvent> {
  readonly before: TState;
  readonly after: TState;
  readonly events: readonly TEvent[];
  /** Of the stream after it. */
  readonly version: number;
  /** Undefined when nothing was appended. */
  readonly appended: AppendResult | undefined;
}

/**
 * Carries out a command in the caller's transaction: locks and reads the stream, decides, appends what follows. An event is stored under its
 * `type`, with all of itself as data.
 *
 * @throws what the decider refuses with; as `append`
 */
export async function handle<TState, TCommand, TEvent extends { readonly type: string }>(
  store: EventStore,
  tx: Transaction,
  decider: Decider<TState, TCommand, TEvent>,
  stream: string,
  command: TCommand,
  { metadata, snapshots }: CommandOptions = {},
): Promise<Handled<TState, TEvent>> {
  const evolve = (state: TState, { data }: { readonly data: unknown }): TState => decider.evolve(state, data as TEvent);
  const { state: before, version } =
    snapshots === undefined
      ? await loadAll(store, tx, stream, decider.initial, evolve)
      : await snapshots.from.load(tx, { ...snapshots, initial: decider.initial, evolve }, stream, { lock: true });
  const events = decider.decide(before, command);
  if (events.length === 0) return { before, after: before, events, version, appended: undefined };
  const appended = await store.append(tx, {
    stream,
    expected: version,
    events: events.map((event) => ({ type: event.type, data: event })),
    ...(metadata === undefined ? {} : { metadata }),
  });
  return { before, after: events.reduce(decider.evolve, before), events, version: appended.version, appended };
}

/**
 * As {@link handle}, in a transaction of its own, which runs again when another append came first.
 */
export async function handleAlone<TState, TCommand, TEvent extends { readonly type: string }>(
  store: EventStore,
  db: Database,
  ctx: Context,
  decider: Decider<TState, TCommand, TEvent>,
  stream: string,
  command: TCommand,
  options: CommandOptions = {},
): Promise<Handled<TState, TEvent>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.tx(ctx, (tx) => handle(store, tx, decider, stream, command, options));
    } catch (error) {
      if (attempt === ATTEMPTS || !hasReason(error, 'EVENTSTORE_WRONG_VERSION')) throw error;
    }
  }
}

async function loadAll<TState>(
  store: EventStore,
  tx: Transaction,
  stream: string,
  initial: TState,
  evolve: (state: TState, event: { readonly data: unknown }) => TState,
): Promise<Loaded<TState>> {
  let state = initial;
  let version = 0;
  // The lock goes out before the first page, in the same packet.
  const locked = store.lockStreams(tx, [stream]);
  const pages = store.readPages(tx, stream)[Symbol.asyncIterator]();
  let [page] = await Promise.all([pages.next(), locked]);
  for (; page.done !== true; page = await pages.next()) {
    state = page.value.events.reduce(evolve, state);
    version = page.value.version;
  }
  return { state, version };
}
