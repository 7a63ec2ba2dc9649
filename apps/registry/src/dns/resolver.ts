import { isIPv4, isIPv6 } from 'node:net';
import type { Runtime } from '@souk/kernel';
import type { Catalog, HealthEntry, NodeEntry } from '../state/catalog.ts';
import { type Question, RCODE, type ResourceRecord, TYPE } from './message.ts';
import { foldCase, isWritable, type Name, nameOf } from './name.ts';
import type { DnsSettings } from './settings.ts';
import { hexLabel, lookupOf } from './zone.ts';

/** A record of the answer, and the addresses of what it points at. */
export interface Answer {
  readonly record: ResourceRecord;
  readonly additionals: readonly ResourceRecord[];
}

export interface Resolution {
  readonly rcode: number;
  /** False for names of other zones. */
  readonly authoritative: boolean;
  readonly answers: readonly Answer[];
  /** The SOA of the zone when there is no answer: how long to remember that, which is not at all. */
  readonly authorities: readonly ResourceRecord[];
}

export interface Resolver {
  /**
   * @param maxAnswers More are not worth computing, because they would not fit. Which ones are left out is left to chance.
   */
  resolve(question: Question, maxAnswers: number): Resolution;
}

export function createResolver(options: {
  readonly runtime: Runtime;
  readonly catalog: Pick<Catalog, 'self' | 'node' | 'instancesOf'>;
  readonly datacenter: string;
  readonly settings: DnsSettings;
}): Resolver {
  const { runtime, catalog, datacenter, settings } = options;
  const zone = nameOf(settings.domain);
  const nameServer = ['ns', ...zone];
  const ttl = settings.ttlSeconds;

  const soa = (): ResourceRecord => ({
    type: 'SOA',
    name: zone,
    ttl: 0,
    primary: nameServer,
    mailbox: ['hostmaster', ...zone],
    serial: Math.floor(runtime.clock.now() / 1_000),
    refresh: 3_600,
    retry: 600,
    expire: 86_400,
    minimum: 0,
  });
  const nothing = (rcode: number): Resolution => ({ rcode, authoritative: true, answers: [], authorities: [soa()] });
  const found = (answers: readonly Answer[]): Resolution =>
    answers.length === 0
      ? nothing(RCODE.NOERROR)
      : { rcode: RCODE.NOERROR, authoritative: true, answers, authorities: [] };
  const wants = (question: Question, type: number): boolean => question.type === type || question.type === TYPE.ANY;

  /** `count` of them at most, in an order of chance (Fisher and Yates). Changes its input. */
  const draw = <T>(all: T[], count: number): T[] => {
    const wanted = Math.min(count, all.length);
    for (let at = 0; at < wanted; at += 1) {
      const other = at + Math.floor(runtime.random.next() * (all.length - at));
      [all[at], all[other]] = [all[other] as T, all[at] as T];
    }
    return all.slice(0, wanted);
  };

  /** The record of an IP address. What is no IP address has none. */
  const addressRecord = (name: Name, address: string): ResourceRecord[] => {
    if (isIPv4(address)) return [{ type: 'A', name, ttl, address }];
    if (isIPv6(address)) return [{ type: 'AAAA', name, ttl, address }];
    return [];
  };

  /** Answers for addresses of which some may be host names: a name stands in only where there is no address at all. */
  const addressAnswers = (question: Question, addresses: readonly string[], maxAnswers: number): Answer[] => {
    const { name } = question;
    const records = addresses.flatMap((address) => addressRecord(name, address));
    if (records.length > 0) {
      const fitting = records.filter((record) => record.type !== 'OTHER' && wants(question, TYPE[record.type]));
      return draw(fitting, maxAnswers).map((record) => ({ record, additionals: [] }));
    }
    if (![TYPE.A, TYPE.AAAA, TYPE.CNAME, TYPE.ANY].includes(question.type as 1)) return [];
    const targets = addresses.map(nameOf).filter((target) => target.length > 0 && isWritable(target));
    // A name has one CNAME at most (RFC 1034 section 3.6.2).
    return draw(targets, 1).map((target) => ({
      record: { type: 'CNAME', name, ttl, target },
      additionals: ownAddress(target),
    }));
  };

  /** Addresses of a name of this zone that names a node or an address. Others are for the client to look up. */
  const ownAddress = (name: Name): ResourceRecord[] => {
    const lookup = lookupOf(name, zone, datacenter);
    if (lookup.kind === 'address') return addressRecord(name, lookup.address);
    const node = lookup.kind === 'node' ? catalog.node(lookup.node) : undefined;
    return node === undefined ? [] : addressRecord(name, node.address);
  };

  const hexTarget = (address: string): Name | undefined => {
    const hex = hexLabel(address);
    return hex === undefined ? undefined : [hex, 'addr', ...nameOf(datacenter), ...zone];
  };
  const nodeTarget = (node: NodeEntry): Name | undefined => {
    const target = [...nameOf(node.name), 'node', ...nameOf(datacenter), ...zone];
    return isWritable(target) ? target : hexTarget(node.address);
  };
  const targetOf = ({ node, instance }: HealthEntry): Name | undefined => {
    if (instance.address === '') return nodeTarget(node);
    const target = hexTarget(instance.address) ?? nameOf(instance.address);
    return target.length > 0 && isWritable(target) ? target : undefined;
  };

  const serviceRecord = (question: Question, entry: HealthEntry): Answer[] => {
    const target = targetOf(entry);
    if (target === undefined) return [];
    const { weights, port } = entry.instance;
    const weight = entry.status === 'passing' ? weights.passing : weights.warning;
    const additionals = entry.instance.address === '' ? addressRecord(target, entry.node.address) : ownAddress(target);
    return [{ record: { type: 'SRV', name: question.name, ttl, priority: 1, weight, port, target }, additionals }];
  };

  const service = (question: Question, name: string, tag: string | undefined, maxAnswers: number): Resolution => {
    const usable = catalog
      .instancesOf(name)
      .filter(({ status }) => status === 'passing' || (status === 'warning' && !settings.onlyPassing))
      .filter(({ instance }) => tag === undefined || instance.tags.some((one) => foldCase(one) === tag));
    if (usable.length === 0) return nothing(RCODE.NXDOMAIN);
    if (question.type === TYPE.SRV) {
      const places = new Map<string, HealthEntry>();
      for (const entry of usable) {
        const { address, port } = entry.instance;
        places.set(`${entry.node.name}\n${address}\n${port}`, entry);
      }
      return found(draw([...places.values()], maxAnswers).flatMap((entry) => serviceRecord(question, entry)));
    }
    const addresses = new Set(usable.map(({ node, instance }) => instance.address || node.address));
    return found(addressAnswers(question, [...addresses], maxAnswers));
  };

  const nodeAnswers = (question: Question, node: NodeEntry, maxAnswers: number): Answer[] => {
    const answers = addressAnswers(question, [node.address], maxAnswers);
    if (!wants(question, TYPE.TXT)) return answers;
    const { name } = question;
    const texts = Object.entries(node.meta).map(([key, value]): Answer => {
      const strings = textStrings(key.startsWith('rfc1035-') ? value : `${key.replaceAll(/[`=]/g, '`$&')}=${value}`);
      return { record: { type: 'TXT', name, ttl, strings }, additionals: [] };
    });
    return [...answers, ...texts].slice(0, maxAnswers);
  };

  const apex = (question: Question): Resolution => {
    const name = question.name;
    const self = catalog.node(catalog.self);
    const answers: Answer[] = [];
    if (wants(question, TYPE.SOA)) answers.push({ record: { ...soa(), name }, additionals: [] });
    if (wants(question, TYPE.NS)) {
      const additionals = self === undefined ? [] : addressRecord(nameServer, self.address);
      answers.push({ record: { type: 'NS', name, ttl, target: nameServer }, additionals });
    }
    return found(answers);
  };

  return {
    resolve: (question, maxAnswers) => {
      const lookup = lookupOf(question.name, zone, datacenter);
      switch (lookup.kind) {
        case 'foreign':
          return { rcode: RCODE.REFUSED, authoritative: false, answers: [], authorities: [] };
        case 'apex':
          return apex(question);
        case 'between':
          return nothing(RCODE.NOERROR);
        case 'unknown':
          return nothing(RCODE.NXDOMAIN);
        case 'address':
          return found(addressAnswers(question, [lookup.address], maxAnswers));
        case 'nameServer':
        case 'node': {
          const node = catalog.node(lookup.kind === 'node' ? lookup.node : catalog.self);
          return node === undefined ? nothing(RCODE.NXDOMAIN) : found(nodeAnswers(question, node, maxAnswers));
        }
        case 'service':
          return service(question, lookup.service, lookup.tag, maxAnswers);
      }
    },
  };
}

/** A text of any length in the strings of at most 255 bytes that TXT is made of. */
function textStrings(text: string): string[] {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return bytes === '' ? [''] : (bytes.match(/[\s\S]{1,255}/g) ?? []);
}
