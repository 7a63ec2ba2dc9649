import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogStream } from './log-stream.ts';

const stream = (format: 'json' | 'pretty', colour: boolean) => {
  const lines: string[] = [];
  const logs = createLogStream({ format, colour, names: ['orders', 'edge'], out: (line) => void lines.push(line) });
  logs.write('orders-1', 'a');
  logs.write('edge-12', 'b');
  logs.write('orders-2', 'c');
  return lines;
};

test('for people each line stands behind the name of its process, lined up', () => {
  assert.deepEqual(stream('pretty', false), ['orders-1 | a', 'edge-12  | b', 'orders-2 | c']);
});

test('instances of one kind have one colour, kinds have different ones', () => {
  const codes = stream('pretty', true).map((line) => line.split('m')[0]);
  assert.equal(codes[0], codes[2]);
  assert.notEqual(codes[0], codes[1]);
});

test('for machines lines are passed on as they are', () => {
  assert.deepEqual(stream('json', false), ['a', 'b', 'c']);
});
