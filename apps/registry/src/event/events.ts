import { indexHeaders, readOptions, spread } from '../http/blocking.ts';
import type { RegistryRequest, Reply } from '../http/routes.ts';
import type { Module, World } from '../module.ts';
import { eventErrors } from './errors.ts';

interface UserEvent {
  readonly ID: string;
  readonly Name: string;
  /** Base64. */
  readonly Payload: string | null;
  readonly NodeFilter: string;
  readonly ServiceFilter: string;
  readonly TagFilter: string;
  readonly Version: 1;
  /** Counts events since the start. */
  readonly LTime: number;
}

/** So many are remembered, as each agent of Consul does. */
const REMEMBERED = 256;
const MAX_PAYLOAD_BYTES = 4_096;
const RESOURCE = 'events';

/**
 * `PUT /v1/event/fire/:name` and `GET /v1/event/list?name=`: news for whoever listens now. They are not kept across a restart, and filters
 * are handed on, not applied: this one agent stands for all nodes.
 */
export function createEvents(world: World): Module {
  const { runtime, revisions } = world;
  const events: UserEvent[] = [];
  let fired = 0;

  const fire = ({ param, query, body }: RegistryRequest): Reply => {
    if (param === '') throw eventErrors.MISSING_NAME();
    fired += 1;
    const event: UserEvent = {
      ID: runtime.ids.uuid(),
      Name: param,
      Payload: body.length === 0 ? null : body.toString('base64'),
      NodeFilter: query.get('node') ?? '',
      ServiceFilter: query.get('service') ?? '',
      TagFilter: query.get('tag') ?? '',
      Version: 1,
      LTime: fired,
    };
    events.push(event);
    if (events.length > REMEMBERED) events.shift();
    revisions.touch(RESOURCE, revisions.next());
    return { json: event };
  };

  const list = async ({ query, signal }: RegistryRequest): Promise<Reply> => {
    const name = query.get('name') ?? '';
    const wanted = readOptions(query);
    const index = query.get('index') ?? '';
    const seen = index === '' ? 0n : BigInt(index);
    const found = (): readonly UserEvent[] => (name === '' ? events : events.filter(({ Name }) => Name === name));
    const endMs = runtime.clock.monotonicMs() + spread(wanted.waitMs, runtime.random);
    // Indexes of events are no order: only the one that the client has seen makes it wait.
    while (seen !== 0n && indexOf(found()) === seen && !signal.aborted) {
      const leftMs = endMs - runtime.clock.monotonicMs();
      if (leftMs <= 0) break;
      await revisions.wait(RESOURCE, revisions.indexOf(RESOURCE), signal, leftMs);
    }
    const answer = found();
    const headers = { ...indexHeaders(1, wanted), 'X-Consul-Index': String(indexOf(answer)) };
    return { json: answer, headers };
  };

  return {
    routes: [
      { method: 'PUT', path: '/v1/event/fire/:name', maxBodyBytes: MAX_PAYLOAD_BYTES, handle: fire },
      { method: 'GET', path: '/v1/event/list', handle: list },
    ],
  };
}

/** The two halves of the newest id, one over the other; 1 when there is none. */
function indexOf(events: readonly UserEvent[]): bigint {
  const newest = events.at(-1);
  if (newest === undefined) return 1n;
  const hex = newest.ID.replaceAll('-', '');
  const index = BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16)}`);
  return index === 0n ? 1n : index;
}
