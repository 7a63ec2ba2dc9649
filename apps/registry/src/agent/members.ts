import { request as httpRequest } from 'node:http';
import { fromUnknown, type Timers } from '@souk/kernel';
import { splitAddress } from '../checks/probe-result.ts';
import type { TargetGuard } from '../checks/target-guard.ts';
import { registryErrors } from '../errors.ts';
import { parseFields } from '../http/fields.ts';
import type { Route } from '../http/routes.ts';
import { required } from '../http/selection.ts';

/** As `/v1/agent/members` shows it. */
export interface Member {
  readonly Name: string;
  readonly Addr: string;
  readonly Port: number;
  readonly Tags: Readonly<Record<string, string>>;
  readonly Status: number;
}

const ALIVE = 1;
const LEAVING = 2;
const GOSSIP_PORT = 8301;
const JOIN_TIMEOUT_MS = 5000;
const MAX_ANSWER = 1024 * 1024;

/**
 * Other registries that said that they are here, or that this one told so. A list for people and scripts: there is no gossip behind it, no
 * state is shared, and nobody notices when a member dies.
 */
export function memberRoutes(options: {
  readonly self: () => Member;
  readonly guard: TargetGuard;
  readonly timers: Timers;
  /** Of this registry: others are asked at the same one, unless the address says otherwise. */
  readonly httpPort: () => number;
  readonly onLeave: () => void;
}): readonly Route[] {
  const { self, guard, timers, httpPort, onLeave } = options;
  const others = new Map<string, Member>();
  const list = (): Member[] => [self(), ...others.values()];
  const take = (member: Member): void => {
    if (member.Name !== self().Name) others.set(member.Name, { ...member, Status: ALIVE });
  };

  const join = async (address: string): Promise<void> => {
    const { host, port } = target(address, httpPort());
    guard.check(host);
    const limit = new AbortController();
    const timer = timers.after(JOIN_TIMEOUT_MS, () => limit.abort());
    try {
      const answer = await introduce({ host, port, guard, self: self(), signal: limit.signal });
      for (const member of answer) take(member);
    } catch (thrown) {
      const why = limit.signal.aborted ? 'no answer' : reasonOf(thrown);
      throw registryErrors.JOIN_FAILED({ address, why }, { cause: thrown });
    } finally {
      timer.cancel();
    }
  };

  return [
    { method: 'GET', path: '/v1/agent/members', handle: () => ({ json: list() }) },
    {
      method: 'PUT',
      path: '/v1/agent/join/:address',
      handle: async (request) => {
        await join(required(request, 'address'));
        return {};
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/force-leave/:name',
      handle: (request) => {
        const name = required(request, 'node name');
        const member = others.get(name);
        if (member === undefined) throw registryErrors.NO_SUCH_NODE({ name });
        if (request.query.has('prune')) others.delete(name);
        else others.set(name, { ...member, Status: LEAVING });
        return {};
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/leave',
      handle: () => {
        onLeave();
        return {};
      },
    },
    {
      method: 'PUT',
      path: '/souk/v1/members',
      handle: ({ body }) => {
        take(parseMember(body));
        return { json: list() };
      },
    },
  ];
}

function parseMember(body: Buffer): Member {
  const fields = parseFields(body);
  const Name = fields.text('Name');
  if (Name === '') throw registryErrors.MALFORMED({ what: 'Missing member name' });
  const Tags = fields.textMap('Tags');
  return { Name, Addr: fields.text('Addr'), Port: fields.integer('Port'), Tags, Status: ALIVE };
}

/** The port of the gossip, which everybody knows, is not ours to speak. */
function target(address: string, httpPort: number): { readonly host: string; readonly port: number } {
  const hasPort = /^(\[[^\]]+\]|[^:]+):\d+$/.test(address);
  const { host, port } = splitAddress(hasPort ? address : `${address}:${httpPort}`);
  return { host, port: port === GOSSIP_PORT ? httpPort : port };
}

function introduce(options: {
  readonly host: string;
  readonly port: number;
  readonly guard: TargetGuard;
  readonly self: Member;
  readonly signal: AbortSignal;
}): Promise<readonly Member[]> {
  const { host, port, guard, self, signal } = options;
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      ...{ host, port, method: 'PUT', path: '/souk/v1/members', lookup: guard.lookup, agent: false, signal },
      headers: { 'content-type': 'application/json' },
    });
    request.once('error', reject);
    request.once('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER) response.destroy();
        else chunks.push(chunk);
      });
      response.once('error', reject);
      response.once('end', () => {
        try {
          const members = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Member[];
          resolve(members.map((member) => parseMember(Buffer.from(JSON.stringify(member)))));
        } catch (thrown) {
          reject(fromUnknown(thrown));
        }
      });
    });
    request.end(JSON.stringify(self));
  });
}

const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : 'no registry answers there');
