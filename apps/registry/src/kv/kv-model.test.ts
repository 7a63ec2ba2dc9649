import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSoukError } from '@souk/kernel';
import fc from 'fast-check';
import { type VirtualKv, virtualKv } from '../../test/kv-world.ts';

// Keys, sessions and locks against a reference that does each thing the plainest way.

interface ModelKey {
  readonly value: string;
  readonly flags: number;
  readonly locks: number;
  readonly holder: number | undefined;
}
interface ModelSession {
  readonly ttlMs: number;
  readonly renewedAtMs: number;
  readonly behavior: string;
  readonly delayMs: number;
}
interface Model {
  nowMs: number;
  sessions: Map<number, ModelSession>;
  keys: Map<string, ModelKey>;
  delays: Map<string, number>;
}

const endSession = (model: Model, id: number, atMs: number): void => {
  const session = model.sessions.get(id);
  if (session === undefined) return;
  model.sessions.delete(id);
  for (const [key, entry] of model.keys) {
    if (entry.holder !== id) continue;
    if (session.delayMs > 0) model.delays.set(key, atMs + session.delayMs);
    if (session.behavior === 'delete') model.keys.delete(key);
    else model.keys.set(key, { ...entry, holder: undefined });
  }
};
const pass = (model: Model, ms: number): void => {
  model.nowMs += ms;
  const dueAt = ({ renewedAtMs, ttlMs }: ModelSession): number =>
    ttlMs === 0 ? Number.POSITIVE_INFINITY : renewedAtMs + 1.5 * ttlMs;
  const over = [...model.sessions].filter(([, session]) => dueAt(session) <= model.nowMs);
  for (const [id, session] of over.sort((a, b) => dueAt(a[1]) - dueAt(b[1]))) endSession(model, id, dueAt(session));
};

interface Running {
  readonly model: Model;
  readonly real: VirtualKv;
  readonly ids: string[];
}
type Step = { readonly text: string; run(running: Running): Promise<void> };

const key = fc.constantFrom('a', 'a/b', 'a/c', 'b', 'b/x/y');
const value = fc.constantFrom('', '1', '2');
const flags = fc.nat({ max: 2 });
const which = fc.nat({ max: 2 });
/** Of the sessions that live, the one at this place; else one that does not. */
const chosen = (model: Model, place: number): number => [...model.sessions.keys()][place] ?? Number.MAX_SAFE_INTEGER;

const put = (model: Model, name: string, change: Partial<ModelKey>): void => {
  const before = model.keys.get(name) ?? { value: '', flags: 0, locks: 0, holder: undefined };
  model.keys.set(name, { ...before, ...change });
};
const step = (text: string, run: Step['run']): Step => ({ text, run });

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(key, value, flags).map(([name, text, number]) =>
    step(`put ${name} ${text} ${number}`, async ({ model, real }) => {
      put(model, name, { value: text, flags: number });
      assert.equal((await real.call('PUT', `/v1/kv/${name}?flags=${number}`, text)).json, true);
    }),
  ),
  fc.tuple(key, value, fc.constantFrom('zero', 'right', 'wrong')).map(([name, text, kind]) =>
    step(`cas ${name} ${text} ${kind}`, async ({ model, real }) => {
      const index = real.world.revisions.indexOf(`kv:${name}`);
      const exists = model.keys.has(name);
      const cas = kind === 'zero' ? 0 : kind === 'right' ? index : index + 1_000;
      const wanted = kind === 'zero' ? !exists : kind === 'right' && exists;
      if (wanted) put(model, name, { value: text, flags: 0 });
      assert.equal((await real.call('PUT', `/v1/kv/${name}?cas=${cas}`, text)).json, wanted);
    }),
  ),
  fc.tuple(key, which, value).map(([name, place, text]) =>
    step(`acquire ${name} by ${place}`, async ({ model, real, ids }) => {
      const pick = chosen(model, place);
      const call = real.call('PUT', `/v1/kv/${name}?acquire=${ids[pick] ?? 'none'}`, text);
      if (!model.sessions.has(pick)) {
        await assert.rejects(call, (error) => isSoukError(error) && error.httpStatus === 500);
        return;
      }
      const entry = model.keys.get(name);
      const delayed = (model.delays.get(name) ?? 0) > model.nowMs;
      const wanted = !delayed && (entry?.holder === undefined || entry.holder === pick);
      const locks = (entry?.locks ?? 0) + (entry?.holder === pick ? 0 : 1);
      if (wanted) put(model, name, { value: text, flags: 0, locks, holder: pick });
      assert.equal((await call).json, wanted);
    }),
  ),
  fc.tuple(key, which, value).map(([name, place, text]) =>
    step(`release ${name} by ${place}`, async ({ model, real, ids }) => {
      const pick = chosen(model, place);
      const wanted = model.sessions.has(pick) && model.keys.get(name)?.holder === pick;
      if (wanted) put(model, name, { value: text, flags: 0, holder: undefined });
      assert.equal((await real.call('PUT', `/v1/kv/${name}?release=${ids[pick] ?? 'none'}`, text)).json, wanted);
    }),
  ),
  fc.tuple(key, fc.boolean()).map(([name, recurse]) =>
    step(`delete ${name}${recurse ? ' and below' : ''}`, async ({ model, real }) => {
      for (const one of [...model.keys.keys()])
        if (one === name || (recurse && one.startsWith(name))) model.keys.delete(one);
      assert.equal((await real.call('DELETE', `/v1/kv/${name}${recurse ? '?recurse' : ''}`)).json, true);
    }),
  ),
  fc
    .record({
      ttl: fc.constantFrom(0, 10, 20),
      delay: fc.constantFrom(0, 1, 15),
      behavior: fc.constantFrom('release', 'delete'),
    })
    .map(({ ttl, delay, behavior }) =>
      step(`session of ${ttl} s, delay ${delay} s, ${behavior}`, async ({ model, real, ids }) => {
        const body = { TTL: ttl === 0 ? '' : `${ttl}s`, LockDelay: `${delay}s`, Behavior: behavior };
        const { json } = await real.call('PUT', '/v1/session/create', JSON.stringify(body));
        const session = { ttlMs: ttl * 1_000, delayMs: delay * 1_000, behavior, renewedAtMs: model.nowMs };
        model.sessions.set(ids.push((json as { ID: string }).ID) - 1, session);
      }),
    ),
  which.map((place) =>
    step(`destroy ${place}`, async ({ model, real, ids }) => {
      const pick = chosen(model, place);
      endSession(model, pick, model.nowMs);
      assert.equal((await real.call('PUT', `/v1/session/destroy/${ids[pick] ?? 'none'}`)).json, true);
    }),
  ),
  which.map((place) =>
    step(`renew ${place}`, async ({ model, real, ids }) => {
      const pick = chosen(model, place);
      const call = real.call('PUT', `/v1/session/renew/${ids[pick] ?? 'none'}`);
      const session = model.sessions.get(pick);
      if (session === undefined) {
        await assert.rejects(call, (error) => isSoukError(error) && error.httpStatus === 404);
        return;
      }
      model.sessions.set(pick, { ...session, renewedAtMs: model.nowMs });
      await call;
    }),
  ),
  fc.constantFrom(500, 4_000, 9_999, 15_000).map((ms) =>
    step(`${ms} ms pass`, async ({ model, real }) => {
      pass(model, ms);
      await real.runtime.advance(ms);
    }),
  ),
);

async function state({ real, ids }: Running): Promise<unknown> {
  const { json = [] } = await real.call('GET', '/v1/kv/?recurse');
  const { json: sessions } = await real.call('GET', '/v1/session/list');
  const keys = (json as Record<string, unknown>[]).map((entry) => [
    entry.Key,
    {
      value: Buffer.from((entry.Value as string | null) ?? '', 'base64').toString(),
      flags: entry.Flags,
      locks: entry.LockIndex,
      holder: entry.Session === undefined ? undefined : ids.indexOf(entry.Session as string),
    },
  ]);
  return { keys, sessions: (sessions as { ID: string }[]).map(({ ID }) => ids.indexOf(ID)).sort() };
}
const modelState = ({ model }: Running): unknown => ({
  keys: [...model.keys].sort(([a], [b]) => (a < b ? -1 : 1)),
  sessions: [...model.sessions.keys()].sort(),
});

const PREFIXES = ['', 'a', 'a/', 'b/', 'b/x', 'z'];
const KEYS = ['a', 'a/b', 'a/c', 'b', 'b/x/y', 'z'];

test('keys, sessions and locks do what the plain reference does, and indexes move with what changes and with nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 50, size: 'max' }), async (sequence) => {
      const model: Model = { nowMs: 0, sessions: new Map(), keys: new Map(), delays: new Map() };
      const running: Running = { model, real: virtualKv(), ids: [] };
      const { real } = running;
      for (const { text, run } of sequence) {
        const before = new Map(model.keys);
        const indexes = [
          ...PREFIXES.map((one) => real.index(`/v1/kv/${one}?recurse`)),
          ...KEYS.map((one) => real.index(`/v1/kv/${one}`)),
        ];
        await run(running);
        assert.deepEqual(await state(running), modelState(running), text);
        const changed = KEYS.filter((one) => JSON.stringify(before.get(one)) !== JSON.stringify(model.keys.get(one)));
        [
          ...PREFIXES.map((one) => real.index(`/v1/kv/${one}?recurse`)),
          ...KEYS.map((one) => real.index(`/v1/kv/${one}`)),
        ].forEach((index, at) => {
          const prefix = PREFIXES[at];
          const moved =
            prefix === undefined
              ? changed.includes(KEYS[at - PREFIXES.length]!)
              : changed.some((one) => one.startsWith(prefix));
          if (moved) assert.ok(index > indexes[at]!, text);
          else assert.equal(index, indexes[at], text);
        });
      }
      // What was logged makes the same state again.
      const again = virtualKv();
      for (const [name, entry] of real.logged.flat())
        again.modules.find(({ persistent }) => persistent?.name === name)?.persistent?.replay(entry);
      assert.deepEqual(await state({ ...running, real: again }), modelState(running));
      const copy = virtualKv();
      copy.modules.forEach(({ persistent }, at) => {
        const saved = real.modules[at]?.persistent?.save();
        if (persistent !== undefined) persistent.load(JSON.parse(JSON.stringify(saved)));
      });
      assert.deepEqual(await state({ ...running, real: copy }), modelState(running));
    }),
    { numRuns: 100 },
  );
});
