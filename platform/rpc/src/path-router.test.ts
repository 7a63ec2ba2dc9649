import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPathRouter } from './path-router.ts';
import { parsePathTemplate } from './path-template.ts';

const routerOf = (...templates: string[]) => {
  const router = createPathRouter<string>();
  for (const template of templates) {
    const [verb, path] = template.split(' ') as [string, string];
    assert.ok(router.add(verb, parsePathTemplate(path, 'test'), template), template);
  }
  return (verb: string, path: string) => {
    const match = router.match(verb, path);
    return match?.kind === 'found' ? [match.target, ...match.values] : match?.allowed;
  };
};

test('a literal goes before a variable, a variable before many', () => {
  const match = routerOf('GET /a/{id}', 'GET /a/me', 'GET /a/{path=**}', 'GET /a/{id}/b', 'PUT /a/me');
  assert.deepEqual(match('GET', '/a/me'), ['GET /a/me']);
  assert.deepEqual(match('GET', '/a/7'), ['GET /a/{id}', ['id', '7']]);
  assert.deepEqual(match('GET', '/a/7/b'), ['GET /a/{id}/b', ['id', '7']]);
  assert.deepEqual(match('GET', '/a/7/c'), ['GET /a/{path=**}', ['path', '7/c']]);
  assert.deepEqual(match('PUT', '/a/me'), ['PUT /a/me']);
});

test('a verb that only a less exact route offers is found there', () => {
  const match = routerOf('GET /a/{id}', 'PUT /a/me');
  assert.deepEqual(match('GET', '/a/me'), ['GET /a/{id}', ['id', 'me']]);
  assert.deepEqual(match('DELETE', '/a/me'), ['GET', 'PUT']);
  assert.equal(match('GET', '/b'), undefined);
});

test('the same verb and shape is taken once', () => {
  const router = createPathRouter<number>();
  assert.ok(router.add('GET', parsePathTemplate('/a/{id}', 'm'), 1));
  assert.ok(!router.add('GET', parsePathTemplate('/a/{other}', 'm'), 2));
});

test('templates that cannot be served are refused', () => {
  for (const path of ['a', '/{a', '/{A}', '/a b', '/{a=b/*}', '/{a=**}/b', '/a//b', '/', '/{a}{b}', '/x{a}']) {
    assert.throws(() => parsePathTemplate(path, 'm'), { reason: 'RPC_BAD_ROUTE' }, path);
  }
});

test('any value survives the way through a path', () => {
  const match = routerOf('GET /a/{id}/b/{other.part}');
  const value = fc
    .string({ minLength: 1, unit: 'grapheme' })
    .filter((text) => !/[/\\\0]/.test(text) && text !== '.' && text !== '..');
  fc.assert(
    fc.property(value, value, (id, part) => {
      const path = `/a/${encodeURIComponent(id)}/b/${encodeURIComponent(part)}`;
      assert.deepEqual(match('GET', path), ['GET /a/{id}/b/{other.part}', ['id', id], ['other.part', part]]);
    }),
  );
});

test('no path makes the router fail in another way than by its own error', () => {
  const match = routerOf('GET /a/{id}', 'GET /{path=**}');
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('/', '%', '2', 'f', '.', '\\', 'a', '%00', '%c0', 'é'), { maxLength: 12 }),
      (parts) => {
        try {
          match('GET', `/${parts.join('')}`);
        } catch (error) {
          assert.equal((error as { reason?: string }).reason, 'RPC_BAD_PATH');
        }
      },
    ),
  );
});
