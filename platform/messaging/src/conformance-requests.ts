import assert from 'node:assert/strict';
import { type Context, hasReason, isSoukError, rootContext } from '@souk/kernel';
import { type BusCase, type Scene, suiteErrors, watched } from './conformance-scene.ts';

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

const call = (scene: Scene, timeoutMs = 5000): Context =>
  rootContext({
    runtime: scene.world.runtime,
    timeoutMs,
    caller: { userId: 'ada', roles: ['admin'], service: 'orders' },
    idempotencyKey: 'once-1',
  });

/** Lets waits pass until a request has its answer, and takes its error for one. */
async function outcome<T>(scene: Scene, work: Promise<T>): Promise<{ readonly value?: T; readonly error?: unknown }> {
  let result: { readonly value?: T; readonly error?: unknown } | undefined;
  work.then(
    (value) => {
      result = { value };
    },
    (error) => {
      result = { error };
    },
  );
  await scene.until('an answer', () => result !== undefined);
  return result ?? {};
}

/** Questions and answers. */
export const requestCases: Readonly<{ [title: string]: BusCase }> = {
  'a request reaches a responder with deadline, caller, trace and key, and gets its answer': {
    needs: ['requestReply'],
    run: async (scene) => {
      const bus = await scene.start();
      const other = await scene.client();
      const seen: Context[] = [];
      other.respond('bustest.echo', async (ctx, body) => {
        seen.push(ctx);
        assert.ok(ctx.remainingMs() > 0 && ctx.remainingMs() <= 6000);
        return bytesOf(`you said ${textOf(body)}`);
      });
      await scene.world.pass(100);
      const ctx = call(scene);
      const answers = await Promise.all(
        ['a', 'ö\n', ''].map((text) => outcome(scene, bus.request(ctx, 'bustest.echo', bytesOf(text)))),
      );
      assert.deepEqual(
        answers.map(({ value, error }) => (value === undefined ? error : textOf(value))),
        ['you said a', 'you said ö\n', 'you said '],
      );
      const [first] = seen;
      assert.deepEqual({ ...first?.caller }, { userId: 'ada', roles: ['admin'], service: 'orders' });
      assert.equal(first?.idempotencyKey, 'once-1');
      assert.equal(first?.trace.traceId, ctx.trace.traceId);
    },
  },

  'a request to nobody is refused, also when the one who responded is gone': {
    needs: ['requestReply'],
    run: async (scene) => {
      const bus = await scene.start();
      const refused = await outcome(scene, bus.request(call(scene), 'bustest.nobody', bytesOf('?')));
      assert.ok(hasReason(refused.error, 'MESSAGING_NO_RESPONDER'), String(refused.error));
      const other = await scene.client();
      const active = other.respond('bustest.soon-gone', async () => bytesOf('here'));
      await scene.world.pass(100);
      const answered = await outcome(scene, bus.request(call(scene), 'bustest.soon-gone', bytesOf('?')));
      assert.equal(textOf(answered.value ?? bytesOf('')), 'here');
      await active.close();
      await scene.world.pass(100);
      const late = await outcome(scene, bus.request(call(scene, 2000), 'bustest.soon-gone', bytesOf('?')));
      assert.ok(hasReason(late.error, 'MESSAGING_NO_RESPONDER'), String(late.error));
    },
  },

  'the error of a responder arrives with its code, reason, text and what it says of a retry': {
    needs: ['requestReply'],
    run: async (scene) => {
      const bus = await scene.start();
      const other = await scene.client();
      other.respond('bustest.refuse', async (_ctx, body) => {
        if (textOf(body) === 'bug') JSON.parse('secret');
        throw textOf(body) === 'busy' ? suiteErrors.BUSY({}, { afterMs: 70 }) : suiteErrors.REFUSED({ what: 'that' });
      });
      await scene.world.pass(100);
      const errors = await Promise.all(
        ['no', 'busy', 'bug'].map(
          async (text) => (await outcome(scene, bus.request(call(scene), 'bustest.refuse', bytesOf(text)))).error,
        ),
      );
      const facts = errors.map((error) =>
        isSoukError(error) ? [error.code, error.reason, error.message, error.retry] : [String(error)],
      );
      assert.deepEqual(facts, [
        ['failed_precondition', 'BUSTEST_REFUSED', 'not with that', { kind: 'never' }],
        ['unavailable', 'BUSTEST_BUSY', 'not now', { kind: 'later', afterMs: 70 }],
        ['internal', 'SOUK_INTERNAL', 'something went wrong on our side', { kind: 'never' }],
      ]);
    },
  },

  'a request ends with its deadline, and an answer after it is dropped and counted': {
    needs: ['requestReply'],
    run: async (scene) => {
      const gate = Promise.withResolvers<void>();
      const bus = await scene.start();
      const other = await scene.client();
      other.respond('bustest.slow', async () => {
        await gate.promise;
        return bytesOf('late');
      });
      await scene.world.pass(100);
      const asked = watched(bus.request(call(scene, 150), 'bustest.slow', bytesOf('?')));
      await scene.until('the deadline', () => asked.state !== 'open');
      assert.ok(hasReason(asked.error, 'SOUK_DEADLINE_EXCEEDED'), String(asked.error));
      gate.resolve();
      await scene.until('a count', () => bus.health().lateReplies === 1);
    },
  },

  'a bus without requests says so': {
    run: async (scene) => {
      const bus = await scene.start();
      if (bus.can.requestReply) return;
      const refused = await outcome(scene, bus.request(call(scene), 'bustest.echo', bytesOf('?')));
      assert.ok(hasReason(refused.error, 'MESSAGING_NOT_SUPPORTED'), String(refused.error));
      assert.throws(
        () => bus.respond('bustest.echo', async () => bytesOf('')),
        (error) => hasReason(error, 'MESSAGING_NOT_SUPPORTED'),
      );
    },
  },
};
