import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason } from '@souk/kernel';
import fc from 'fast-check';
import { addressBytes } from './address.ts';
import type { Message, Question, ResourceRecord } from './message.ts';
import { isWritable, type Name, nameOf } from './name.ts';
import { ipv6Text, readHeader, readMessage } from './reader.ts';
import { writeHeaderOnly, writeMessage } from './writer.ts';

const byteText = (limits: { minLength?: number; maxLength: number }): fc.Arbitrary<string> =>
  fc.uint8Array(limits).map((bytes) => Buffer.from(bytes).toString('latin1'));
/** Few different labels, so that names share ends and get compressed. */
const label = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('web', 'service', 'consul', 'node', 'a.b', 'WEB', 'a', 'b', 'ab', 'aa') },
  { weight: 1, arbitrary: byteText({ minLength: 1, maxLength: 63 }) },
);
const name: fc.Arbitrary<Name> = fc.array(label, { maxLength: 8 }).filter(isWritable);
const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const owner = { name, ttl: uint32 };
const record: fc.Arbitrary<ResourceRecord> = fc.oneof(
  fc.record({ ...owner, type: fc.constant('A' as const), address: fc.ipV4() }),
  fc.record({
    ...owner,
    type: fc.constant('AAAA' as const),
    address: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipv6Text),
  }),
  fc.record({ ...owner, type: fc.constantFrom('NS' as const, 'CNAME' as const, 'PTR' as const), target: name }),
  fc.record({
    ...owner,
    type: fc.constant('SRV' as const),
    priority: uint16,
    weight: uint16,
    port: uint16,
    target: name,
  }),
  fc.record({
    ...owner,
    type: fc.constant('TXT' as const),
    strings: fc.array(byteText({ maxLength: 255 }), { maxLength: 3 }),
  }),
  fc.record({
    ...owner,
    type: fc.constant('SOA' as const),
    primary: name,
    mailbox: name,
    serial: uint32,
    refresh: uint32,
    retry: uint32,
    expire: uint32,
    minimum: uint32,
  }),
  fc.record({
    ...owner,
    type: fc.constant('OTHER' as const),
    typeCode: fc.integer({ min: 256, max: 0xffff }),
    class: uint16,
    data: fc.uint8Array({ maxLength: 40 }),
  }),
);
const question: fc.Arbitrary<Question> = fc.record({ name, type: uint16, class: uint16 });
const records = fc.array(record, { maxLength: 5 });
const message: fc.Arbitrary<Message> = fc
  .record(
    {
      id: uint16,
      response: fc.boolean(),
      opcode: fc.integer({ min: 0, max: 15 }),
      authoritative: fc.boolean(),
      truncated: fc.boolean(),
      recursionDesired: fc.boolean(),
      recursionAvailable: fc.boolean(),
      authenticData: fc.boolean(),
      checkingDisabled: fc.boolean(),
      rcode: fc.integer({ min: 0, max: 4095 }),
      questions: fc.array(question, { maxLength: 3 }),
      answers: records,
      authorities: records,
      additionals: records,
      edns: fc.record({
        udpPayloadBytes: uint16,
        version: fc.integer({ min: 0, max: 255 }),
        dnssecOk: fc.boolean(),
        options: fc.uint8Array({ maxLength: 30 }),
      }),
    },
    {
      requiredKeys: [
        'id',
        'response',
        'opcode',
        'authoritative',
        'truncated',
        'recursionDesired',
        'recursionAvailable',
        'authenticData',
        'checkingDisabled',
        'rcode',
        'questions',
        'answers',
        'authorities',
        'additionals',
      ],
    },
  )
  .map((one) => (one.edns === undefined ? { ...one, rcode: one.rcode & 0xf } : one) as Message);

/** The only difference that is allowed: a Buffer is a Uint8Array. */
const plain = (value: Message): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, part) => (part instanceof Uint8Array ? Buffer.from(part).toString('hex') : part)),
  );

const only = (reason: string, run: () => unknown): unknown => {
  try {
    return run();
  } catch (error) {
    assert.ok(hasReason(error, reason), String(error));
    return undefined;
  }
};

test('a message that is written reads as the same message', () => {
  fc.assert(
    fc.property(message, (one) => {
      const bytes = writeMessage(one);
      assert.ok(bytes !== undefined);
      assert.deepEqual(plain(readMessage(bytes)), plain(one));
    }),
    { numRuns: 500 },
  );
});

test('arbitrary bytes are read or refused as malformed, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      only('REGISTRY_DNS_MALFORMED', () => readMessage(bytes));
    }),
    { numRuns: 3_000 },
  );
});

test('a message with bytes changed, cut or added is read or refused as malformed', () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(message, fc.array(change, { maxLength: 6 }), fc.nat(), (one, changes, cut) => {
      const bytes = Uint8Array.from(writeMessage(one) ?? []);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      only('REGISTRY_DNS_MALFORMED', () => readMessage(bytes));
      only('REGISTRY_DNS_MALFORMED', () => readMessage(bytes.subarray(0, cut % bytes.length)));
    }),
    { numRuns: 1_000 },
  );
});

test('what is read can be written again and means the same', () => {
  fc.assert(
    fc.property(
      message,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      (one, changes) => {
        const bytes = Uint8Array.from(writeMessage(one) ?? []);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const read = only('REGISTRY_DNS_MALFORMED', () => readMessage(bytes)) as Message | undefined;
        if (read === undefined) return;
        const again = writeMessage(read);
        if (again !== undefined) assert.deepEqual(plain(readMessage(again)), plain(read));
      },
    ),
    { numRuns: 1_000 },
  );
});

test('a message is written whole or not at all, never above its limit', () => {
  fc.assert(
    fc.property(message, fc.integer({ min: 12, max: 1_000 }), (one, limit) => {
      const whole = writeMessage(one);
      const bytes = writeMessage(one, limit);
      assert.equal(bytes === undefined, (whole?.length ?? 0) > limit);
      if (bytes !== undefined) assert.deepEqual(bytes, whole);
    }),
  );
});

const header = (...counts: number[]): number[] => [0, 7, 0, 0, ...counts.flatMap((count) => [count >> 8, count & 255])];
const malformed: readonly (readonly [what: string, bytes: number[]])[] = [
  ['nothing', []],
  ['half a header', [0, 1, 2]],
  ['a question that is missing', header(1, 0, 0, 0)],
  ['a name that points at itself', [...header(1, 0, 0, 0), 0xc0, 12, 0, 1, 0, 1]],
  ['a name that points forward', [...header(1, 0, 0, 0), 0xc0, 14, 0, 0, 1, 0, 1]],
  ['two names that point at each other', [...header(2, 0, 0, 0), 0xc0, 18, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1]],
  ['a name that points back into its own labels', [...header(1, 0, 0, 0), 1, 97, 0xc0, 12, 0, 1, 0, 1]],
  ['half a pointer', [...header(1, 0, 0, 0), 0xc0]],
  ['a label of the reserved kind 01', [...header(1, 0, 0, 0), 0x41, 0, 0, 1, 0, 1]],
  ['a label longer than the message', [...header(1, 0, 0, 0), 63, 97]],
  [
    'a name above 255 bytes',
    [
      ...header(1, 0, 0, 0),
      ...Array(5)
        .fill([63, ...Array(63).fill(97)])
        .flat(),
      0,
      0,
      1,
      0,
      1,
    ],
  ],
  ['65535 records that are not there', header(0, 0xffff, 0, 0)],
  ['a record longer than the message', [...header(0, 1, 0, 0), 0, 0, 1, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 1]],
  ['an address of three bytes', [...header(0, 1, 0, 0), 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 3, 1, 2, 3]],
  ['a text that leaves its record', [...header(0, 1, 0, 0), 0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 2, 9, 1]],
  ['two OPT records', [...header(0, 0, 0, 2), ...Array(2).fill([0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 0]).flat()]],
  ['an OPT record among the answers', [...header(0, 1, 0, 0), 0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 0]],
  ['an OPT record with a name', [...header(0, 0, 0, 1), 1, 97, 0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 0]],
];
for (const [what, bytes] of malformed) {
  test(`${what} is refused as malformed`, () => {
    assert.throws(
      () => readMessage(Uint8Array.from(bytes)),
      (error) => hasReason(error, 'REGISTRY_DNS_MALFORMED'),
    );
  });
}

test('names that share their end are written once', () => {
  const target = nameOf('a.node.dc1.consul');
  const base: Message = {
    ...(readMessage(writeHeaderOnly({ id: 1, opcode: 0, recursionDesired: false }, 0)) as Message),
    questions: [{ name: nameOf('web.service.consul'), type: 33, class: 1 }],
    answers: [{ type: 'SRV', name: nameOf('web.service.consul'), ttl: 0, priority: 1, weight: 1, port: 80, target }],
    additionals: [{ type: 'A', name: target, ttl: 0, address: '10.0.0.1' }],
  };
  // 12 header; 20 + 4 question; 2 + 10 + 6 + 19 answer, its target whole (RFC 2782); 2 + 10 + 4 additional, pointing at the target.
  assert.equal(writeMessage(base)?.length, 12 + 24 + 37 + 16);
});

test('what does not fit a field of DNS is refused as unwritable', () => {
  const base = readMessage(writeHeaderOnly({ id: 1, opcode: 0, recursionDesired: false }, 0));
  const bad: Message[] = [
    { ...base, questions: [{ name: ['a'.repeat(64)], type: 1, class: 1 }] },
    { ...base, questions: [{ name: [''], type: 1, class: 1 }] },
    { ...base, questions: [{ name: Array(128).fill('aa'), type: 1, class: 1 }] },
    { ...base, answers: [{ type: 'A', name: [], ttl: 0, address: '::1' }] },
    { ...base, answers: [{ type: 'AAAA', name: [], ttl: 0, address: 'not one' }] },
    { ...base, answers: [{ type: 'TXT', name: [], ttl: 0, strings: ['a'.repeat(256)] }] },
    { ...base, rcode: 16 },
  ];
  for (const one of bad)
    assert.throws(
      () => writeMessage(one),
      (error) => hasReason(error, 'REGISTRY_DNS_UNWRITABLE'),
    );
});

test('addresses keep their bytes, and IPv6 is written as RFC 5952 wants', () => {
  const text = (address: string): string => ipv6Text(addressBytes(address) as Uint8Array);
  assert.equal(text('2001:DB8:0:0:1:0:0:1'), '2001:db8::1:0:0:1');
  assert.equal(text('0:0:0:0:0:0:0:0'), '::');
  assert.equal(text('::1'), '::1');
  assert.equal(text('1::'), '1::');
  assert.equal(text('1:0:3:4:5:6:7:8'), '1:0:3:4:5:6:7:8');
  assert.equal(text('::ffff:10.0.0.1'), '::ffff:a00:1');
  assert.equal(text('fe80::1%eth0'), 'fe80::1');
  for (const none of ['', 'web', '10.0.0', '10.0.0.256', ':::', '1::2::3']) assert.equal(addressBytes(none), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      assert.deepEqual(addressBytes(ipv6Text(bytes)), bytes);
    }),
  );
});

test('the header of a message can be read alone', () => {
  assert.equal(readHeader(Uint8Array.from([1, 2])), undefined);
  const bytes = writeHeaderOnly({ id: 4711, opcode: 2, recursionDesired: true }, 4);
  const { id, opcode, response, recursionDesired } = readHeader(bytes) ?? {};
  assert.deepEqual(
    { id, opcode, response, recursionDesired },
    { id: 4711, opcode: 2, response: true, recursionDesired: true },
  );
});
