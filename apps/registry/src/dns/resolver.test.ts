import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, virtualRuntime } from '@souk/kernel';
import fc from 'fast-check';
import type { Catalog, HealthEntry, NodeEntry, Status } from '../state/catalog.ts';
import { type Message, RCODE, type ResourceRecord, TYPE } from './message.ts';
import { nameOf } from './name.ts';
import { readMessage } from './reader.ts';
import { createResolver } from './resolver.ts';
import { createResponder, type Transport } from './responder.ts';
import { type DnsSettings, dnsDefaults } from './settings.ts';
import { writeHeaderOnly, writeMessage } from './writer.ts';

type DnsCatalog = Pick<Catalog, 'self' | 'node' | 'instancesOf'>;
interface Given {
  readonly service: string;
  readonly node?: NodeEntry;
  readonly tags?: string[];
  readonly address?: string;
  readonly port?: number;
  readonly status?: Status;
  readonly passing?: number;
  readonly warning?: number;
}

const node = (name: string, address: string, meta: Record<string, string> = {}): NodeEntry => ({
  id: name,
  name,
  address,
  datacenter: 'dc1',
  taggedAddresses: {},
  meta,
  createRev: 1,
  modifyRev: 1,
});
const alpha = node('Alpha', '10.0.0.1', { rack: 'r1', 'rfc1035-spf': 'v=spf1', 'a=b': 'c' });
const six = node('six', 'fd00::6');
const named = node('named', 'host.example.com');
const dotted = node('a.b', '10.0.0.9', { long: 'x'.repeat(600) });

function catalogOf(given: readonly Given[], nodes: readonly NodeEntry[] = [alpha, six, named, dotted]): DnsCatalog {
  const entries = given.map((one, index): HealthEntry => {
    const on = one.node ?? alpha;
    return {
      node: on,
      checks: [],
      status: one.status ?? 'passing',
      instance: {
        node: on.name,
        id: `${one.service}-${index}`,
        service: one.service,
        kind: '',
        tags: one.tags ?? [],
        address: one.address ?? '',
        port: one.port ?? 80,
        taggedAddresses: {},
        meta: {},
        weights: { passing: one.passing ?? 1, warning: one.warning ?? 1 },
        enableTagOverride: false,
        souk: undefined,
        createRev: 1,
        modifyRev: 1,
      },
    };
  });
  return {
    self: 'Alpha',
    node: (name) => nodes.find((one) => one.name.toLowerCase() === name.toLowerCase()),
    instancesOf: (service) => entries.filter((one) => one.instance.service.toLowerCase() === service.toLowerCase()),
  };
}

const empty = readMessage(writeHeaderOnly({ id: 0, opcode: 0, recursionDesired: false }, 0));
function server(catalog: DnsCatalog, settings: Partial<DnsSettings> = {}, seed = 1) {
  const all = { ...dnsDefaults, ...settings };
  const runtime = virtualRuntime({ seed });
  const resolver = createResolver({ runtime, catalog, datacenter: 'dc1', settings: all });
  const respond = createResponder({ resolver, log: silentLogger, udpMaxBytes: all.udpMaxBytes });
  const raw = (name: string, type: keyof typeof TYPE, change: Partial<Message> = {}, transport: Transport = 'tcp') => {
    const questions = [{ name: nameOf(name), type: TYPE[type], class: 1 }];
    const query = writeMessage({ ...empty, id: 99, response: false, recursionDesired: true, questions, ...change });
    return respond(query as Uint8Array, transport) as Uint8Array;
  };
  const ask = (...parameters: Parameters<typeof raw>): Message => readMessage(raw(...parameters));
  return { respond, raw, ask };
}

const show = (record: ResourceRecord): string => {
  const name = record.name.join('.');
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return `${name} ${record.type} ${record.address}`;
    case 'SRV':
      return `${name} SRV ${record.priority} ${record.weight} ${record.port} ${record.target.join('.')}`;
    case 'TXT':
      return `${name} TXT ${record.strings.join('|')}`;
    case 'SOA':
      return `${name} SOA ${record.primary.join('.')} ${record.mailbox.join('.')} ${record.minimum}`;
    case 'OTHER':
      return `${name} ${record.typeCode}`;
    default:
      return `${name} ${record.type} ${record.target.join('.')}`;
  }
};
const answers = (message: Message): string[] => message.answers.map(show).sort();
const additionals = (message: Message): string[] => message.additionals.map(show).sort();
const SOA = 'consul SOA ns.consul hostmaster.consul 0';

test('a service has the addresses of its instances, those of their nodes where they have none', () => {
  const { ask } = server(catalogOf([{ service: 'web' }, { service: 'web', address: '10.0.0.2' }, { service: 'db' }]));
  const reply = ask('web.service.consul', 'A');
  assert.equal(reply.authoritative, true);
  assert.equal(reply.recursionAvailable, false);
  assert.deepEqual(answers(reply), ['web.service.consul A 10.0.0.1', 'web.service.consul A 10.0.0.2']);
  assert.ok(reply.answers.every(({ ttl }) => ttl === 0));
});

test('names are found in any case, and the answer repeats the case of the question', () => {
  const { ask } = server(catalogOf([{ service: 'Web', tags: ['V1'] }]));
  assert.deepEqual(answers(ask('wEb.SERVICE.Consul', 'A')), ['wEb.SERVICE.Consul A 10.0.0.1']);
  assert.deepEqual(answers(ask('v1.web.Service.DC1.consul', 'A')), ['v1.web.Service.DC1.consul A 10.0.0.1']);
  assert.deepEqual(answers(ask('ALPHA.node.consul', 'A')), ['ALPHA.node.consul A 10.0.0.1']);
});

test('a tag before the service selects, dots and all', () => {
  const { ask } = server(
    catalogOf([
      { service: 'web', tags: ['v1'] },
      { service: 'web', tags: ['v1.2'], address: '10.0.0.2' },
    ]),
  );
  assert.deepEqual(answers(ask('v1.web.service.consul', 'A')), ['v1.web.service.consul A 10.0.0.1']);
  assert.deepEqual(answers(ask('v1.2.web.service.consul', 'A')), ['v1.2.web.service.consul A 10.0.0.2']);
  assert.equal(ask('v2.web.service.consul', 'A').rcode, RCODE.NXDOMAIN);
});

test('an SRV has port, weight by health and a target with its address', () => {
  const { ask } = server(
    catalogOf([
      { service: 'web', port: 8080, passing: 7, warning: 2 },
      { service: 'web', port: 8081, passing: 7, warning: 2, status: 'warning', address: '10.0.0.2' },
      { service: 'web', port: 8082, address: 'fd00::1' },
      { service: 'web', port: 8083, address: 'host.example.com' },
    ]),
  );
  const reply = ask('web.service.consul', 'SRV');
  assert.deepEqual(answers(reply), [
    'web.service.consul SRV 1 1 8082 fd000000000000000000000000000001.addr.dc1.consul',
    'web.service.consul SRV 1 1 8083 host.example.com',
    'web.service.consul SRV 1 2 8081 0a000002.addr.dc1.consul',
    'web.service.consul SRV 1 7 8080 Alpha.node.dc1.consul',
  ]);
  assert.deepEqual(additionals(reply), [
    '0a000002.addr.dc1.consul A 10.0.0.2',
    'Alpha.node.dc1.consul A 10.0.0.1',
    'fd000000000000000000000000000001.addr.dc1.consul AAAA fd00::1',
  ]);
});

test('the form of RFC 2782 selects by tag, tcp meaning any, with service and datacenter as one likes', () => {
  const { ask } = server(
    catalogOf([
      { service: 'web', tags: ['v1'], port: 1 },
      { service: 'web', port: 2 },
    ]),
  );
  for (const tail of ['', '.service', '.dc1', '.service.dc1']) {
    assert.equal(ask(`_web._tcp${tail}.consul`, 'SRV').answers.length, 2, tail);
    assert.equal(ask(`_Web._V1${tail}.consul`, 'SRV').answers.length, 1, tail);
    assert.equal(ask(`_web._udp${tail}.consul`, 'SRV').rcode, RCODE.NXDOMAIN, tail);
  }
  assert.equal(ask('_web._tcp.node.consul', 'SRV').rcode, RCODE.NXDOMAIN);
});

test('critical instances are left out, those with a warning only when all must pass', () => {
  const given: Given[] = [
    { service: 'web', status: 'critical' },
    { service: 'web', status: 'warning', address: '10.0.0.2' },
    { service: 'web', status: 'passing', address: '10.0.0.3' },
    { service: 'down', status: 'critical' },
  ];
  assert.equal(server(catalogOf(given)).ask('web.service.consul', 'A').answers.length, 2);
  const strict = server(catalogOf(given), { onlyPassing: true });
  assert.deepEqual(answers(strict.ask('web.service.consul', 'A')), ['web.service.consul A 10.0.0.3']);
  assert.equal(strict.ask('down.service.consul', 'A').rcode, RCODE.NXDOMAIN);
});

test('the same place is answered once: by address, for SRV by node, address and port', () => {
  const { ask } = server(
    catalogOf([
      { service: 'web', port: 1 },
      { service: 'web', port: 1 },
      { service: 'web', port: 2 },
      { service: 'web', port: 1, node: six },
    ]),
  );
  assert.equal(ask('web.service.consul', 'A').answers.length, 1);
  const srv = ask('web.service.consul', 'SRV');
  assert.equal(srv.answers.length, 3);
  assert.equal(srv.additionals.length, 2);
});

test('a name that is not there is NXDOMAIN, with nothing to remember', () => {
  const { ask } = server(catalogOf([{ service: 'web' }]));
  const unknown = [
    'db.service.consul',
    'beta.node.consul',
    'web.service.dc2.consul',
    'alpha.node.dc2.consul',
    'web.consul',
    'web.other.consul',
    '0a00000.addr.consul',
    '0a00000g.addr.consul',
    'x.0a000001.addr.consul',
    'consul.consul',
  ];
  for (const name of unknown) {
    const reply = ask(name, 'A');
    assert.equal(reply.rcode, RCODE.NXDOMAIN, name);
    assert.deepEqual(reply.authorities.map(show), [SOA]);
  }
});

test('a name that is there without such a record is empty, with nothing to remember', () => {
  const { ask } = server(catalogOf([{ service: 'web' }]));
  const asked = [
    ['web.service.consul', 'AAAA'],
    ['web.service.consul', 'TXT'],
    ['alpha.node.consul', 'AAAA'],
    ['alpha.node.consul', 'SRV'],
    ['0a000001.addr.consul', 'AAAA'],
    ['service.consul', 'A'],
    ['node.dc1.consul', 'A'],
    ['dc1.consul', 'A'],
    ['_tcp.service.consul', 'A'],
    ['consul', 'A'],
  ] as const;
  for (const [name, type] of asked) {
    const reply = ask(name, type);
    assert.equal(reply.rcode, RCODE.NOERROR, name);
    assert.deepEqual(reply.answers, []);
    assert.deepEqual(reply.authorities.map(show), [SOA]);
  }
});

test('names of other zones are refused', () => {
  const { ask } = server(catalogOf([]));
  for (const name of ['example.com', 'consul.example', 'notconsul', '']) {
    const reply = ask(name, 'A');
    assert.equal(reply.rcode, RCODE.REFUSED, name);
    assert.equal(reply.authoritative, false);
  }
});

test('a node has its address, and its meta as TXT', () => {
  const { ask } = server(catalogOf([]));
  assert.deepEqual(answers(ask('six.node.consul', 'AAAA')), ['six.node.consul AAAA fd00::6']);
  assert.deepEqual(answers(ask('a.b.node.consul', 'A')), ['a.b.node.consul A 10.0.0.9']);
  assert.deepEqual(answers(ask('alpha.node.consul', 'TXT')), [
    'alpha.node.consul TXT a`=b=c',
    'alpha.node.consul TXT rack=r1',
    'alpha.node.consul TXT v=spf1',
  ]);
  assert.equal(ask('alpha.node.consul', 'ANY').answers.length, 4);
  const [long] = ask('a.b.node.consul', 'TXT').answers;
  assert.deepEqual(long?.type === 'TXT' ? long.strings.map((text) => text.length) : [], [255, 255, 95]);
});

test('a host name instead of an address is answered as CNAME', () => {
  const { ask } = server(
    catalogOf([
      { service: 'web', node: named },
      { service: 'own', address: 'alpha.node.consul' },
    ]),
  );
  assert.deepEqual(answers(ask('named.node.consul', 'A')), ['named.node.consul CNAME host.example.com']);
  assert.deepEqual(answers(ask('web.service.consul', 'AAAA')), ['web.service.consul CNAME host.example.com']);
  assert.deepEqual(ask('web.service.consul', 'TXT').answers, []);
  const own = ask('own.service.consul', 'A');
  assert.deepEqual(
    [answers(own), additionals(own)],
    [['own.service.consul CNAME alpha.node.consul'], ['alpha.node.consul A 10.0.0.1']],
  );
});

test('an address can be asked for in hexadecimal', () => {
  const { ask } = server(catalogOf([]));
  assert.deepEqual(answers(ask('0A000001.addr.dc1.consul', 'A')), ['0A000001.addr.dc1.consul A 10.0.0.1']);
  const name = 'fd000000000000000000000000000001.addr.consul';
  assert.deepEqual(answers(ask(name, 'AAAA')), [`${name} AAAA fd00::1`]);
});

test('the zone names its server', () => {
  const { ask } = server(catalogOf([]));
  assert.deepEqual(answers(ask('consul', 'SOA')), [SOA]);
  const reply = ask('consul', 'NS');
  assert.deepEqual([answers(reply), additionals(reply)], [['consul NS ns.consul'], ['ns.consul A 10.0.0.1']]);
  assert.deepEqual(answers(ask('ns.consul', 'A')), ['ns.consul A 10.0.0.1']);
});

test('another zone and a time to live can be chosen', () => {
  const { ask } = server(catalogOf([{ service: 'web' }]), { domain: 'souk.local', ttlSeconds: 5 });
  const [answer] = ask('web.service.souk.local', 'A').answers;
  assert.equal(answer?.ttl, 5);
  assert.equal(ask('web.service.consul', 'A').rcode, RCODE.REFUSED);
});

test('answers come in an order of chance, every one first about as often', () => {
  const { ask } = server(catalogOf([1, 2, 3, 4].map((last) => ({ service: 'web', address: `10.0.0.${last}` }))));
  const first = new Map<string, number>();
  for (let count = 0; count < 2_000; count += 1) {
    const [answer] = ask('web.service.consul', 'A').answers;
    const key = show(answer as ResourceRecord);
    first.set(key, (first.get(key) ?? 0) + 1);
  }
  // 500 expected, standard deviation 19.4: five of those.
  assert.equal(first.size, 4);
  for (const count of first.values()) assert.ok(Math.abs(count - 500) < 97, String(count));
});

const edns = (udpPayloadBytes: number, version = 0): Partial<Message> => ({
  edns: { udpPayloadBytes, version, dnssecOk: true, options: new Uint8Array(0) },
});
const many = (count: number): DnsCatalog =>
  catalogOf(
    Array.from({ length: count }, (_, index) => ({
      service: 'web',
      port: 1_000 + index,
      address: `10.0.${index >> 8}.${index & 255}`,
    })),
  );

test('over UDP without EDNS0 an answer has at most 512 bytes, and says so when it is cut', () => {
  // 12 + 24 bytes of header and question, then 16 per address: 29 fit into 512 (500), 30 do not (516).
  const all = server(many(29)).raw('web.service.consul', 'A', {}, 'udp');
  assert.equal(all.length, 500);
  assert.equal(readMessage(all).truncated, false);
  const cut = server(many(30)).raw('web.service.consul', 'A', {}, 'udp');
  assert.equal(cut.length, 500);
  assert.equal(readMessage(cut).truncated, true);
  assert.equal(readMessage(cut).answers.length, 29);
});

test('with EDNS0 an answer is as large as the client takes, up to 4096, never below 512', () => {
  // 12 + 24 + 11 for EDNS0, then 16 each.
  const fits = (bytes: number): number => Math.floor((bytes - 47) / 16);
  const { ask, raw } = server(many(500));
  for (const [said, used] of [
    [0, 512],
    [512, 512],
    [1_232, 1_232],
    [4_096, 4_096],
    [65_535, 4_096],
  ] as const) {
    const reply = ask('web.service.consul', 'A', edns(said), 'udp');
    assert.equal(reply.answers.length, fits(used), String(said));
    assert.equal(reply.truncated, true);
    assert.deepEqual(reply.edns, { ...reply.edns, udpPayloadBytes: 4_096, version: 0, dnssecOk: false });
    assert.ok(raw('web.service.consul', 'A', edns(said), 'udp').length <= used);
  }
});

test('over TCP 500 answers come whole, and what is above 64 KiB is cut and says so', () => {
  const whole = server(many(500)).ask('web.service.consul', 'A');
  assert.deepEqual([whole.answers.length, whole.truncated], [500, false]);
  const cut = server(many(6_000)).ask('web.service.consul', 'A');
  assert.deepEqual([cut.answers.length, cut.truncated], [Math.floor((65_535 - 36) / 16), true]);
});

test('each SRV that is kept has its address, and no address is there without its SRV', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 60 }),
      fc.integer({ min: 512, max: 4_096 }),
      fc.nat(),
      (count, size, seed) => {
        const { raw } = server(many(count), {}, seed);
        const bytes = raw('web.service.consul', 'SRV', edns(size), 'udp');
        const reply = readMessage(bytes);
        assert.ok(bytes.length <= size);
        assert.equal(reply.truncated, reply.answers.length < count);
        const targets = reply.answers.map((one) => (one.type === 'SRV' ? one.target.join('.') : ''));
        assert.deepEqual(reply.additionals.map(({ name }) => name.join('.')).sort(), targets.sort());
      },
    ),
    { numRuns: 60 },
  );
});

test('a later version of EDNS is answered with the one we speak', () => {
  const reply = server(catalogOf([{ service: 'web' }])).ask('web.service.consul', 'A', edns(1_232, 1));
  assert.deepEqual([reply.rcode, reply.edns?.version, reply.answers.length], [RCODE.BADVERS, 0, 0]);
});

test('what is no question gets the refusal it deserves, or nothing', () => {
  const { respond, raw } = server(catalogOf([]));
  const rcode = (bytes: Uint8Array | undefined): number | undefined =>
    bytes === undefined ? undefined : readMessage(bytes).rcode;
  const header = (second: number, ...counts: number[]): Uint8Array =>
    Uint8Array.from([0, 9, second, 0, ...counts.flatMap((count) => [count >> 8, count & 255])]);
  assert.equal(respond(new Uint8Array(11), 'udp'), undefined);
  assert.equal(respond(header(0x80, 1, 0, 0, 0), 'udp'), undefined);
  assert.equal(rcode(respond(header(0x28, 1, 0, 0, 0), 'udp')), RCODE.NOTIMP);
  assert.equal(rcode(respond(header(0, 0, 0, 0, 0), 'udp')), RCODE.FORMERR);
  assert.equal(rcode(respond(header(0, 2, 0, 0, 0), 'udp')), RCODE.FORMERR);
  assert.equal(rcode(respond(header(0, 1, 0, 0, 0), 'udp')), RCODE.FORMERR);
  assert.equal(rcode(respond(header(0, 1, 0xffff, 0xffff, 0xffff), 'udp')), RCODE.FORMERR);
  const chaos = { questions: [{ name: nameOf('version.bind'), type: TYPE.TXT, class: 3 }] };
  assert.equal(rcode(raw('', 'TXT', chaos)), RCODE.REFUSED);
  const transfer = { questions: [{ name: nameOf('consul'), type: 252, class: 1 }] };
  assert.equal(rcode(raw('', 'TXT', transfer)), RCODE.REFUSED);
});

test('a catalog that fails is answered with SERVFAIL', () => {
  const broken: DnsCatalog = { ...catalogOf([]), instancesOf: () => assert.fail('broken') };
  const reply = server(broken).ask('web.service.consul', 'A');
  assert.deepEqual([reply.id, reply.rcode], [99, RCODE.SERVFAIL]);
});

test('whatever bytes come, the answer is for the same id and name, or there is none', () => {
  const { respond } = server(many(40));
  const question = writeMessage({
    ...empty,
    response: false,
    questions: [{ name: nameOf('web.service.consul'), type: TYPE.SRV, class: 1 }],
  }) as Uint8Array;
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc
      .array(fc.tuple(fc.nat({ max: question.length - 1 }), fc.integer({ min: 0, max: 255 })), { maxLength: 4 })
      .map((changes) => {
        const changed = Uint8Array.from(question);
        for (const [at, value] of changes) changed[at] = value;
        return changed;
      }),
  );
  fc.assert(
    fc.property(bytes, fc.constantFrom('udp' as const, 'tcp' as const), (query, transport) => {
      const answer = respond(query, transport);
      if (answer === undefined) return;
      const reply = readMessage(answer);
      assert.equal(reply.id, ((query[0] ?? 0) << 8) | (query[1] ?? 0));
      assert.equal(reply.response, true);
      if (reply.questions.length > 0) assert.deepEqual(reply.questions, readMessage(query).questions);
      for (const { name } of reply.answers) assert.deepEqual(name, reply.questions[0]?.name);
    }),
    { numRuns: 2_000 },
  );
});

test('instances with names that DNS cannot say do not spoil the answer of others', () => {
  const odd = node('x'.repeat(70), '10.0.0.7');
  const { ask } = server(
    catalogOf([
      { service: 'web', node: odd },
      { service: 'web', address: `${'y'.repeat(70)}.example` },
      { service: 'web' },
    ]),
  );
  assert.deepEqual(answers(ask('web.service.consul', 'SRV')), [
    'web.service.consul SRV 1 1 80 0a000007.addr.dc1.consul',
    'web.service.consul SRV 1 1 80 Alpha.node.dc1.consul',
  ]);
});
