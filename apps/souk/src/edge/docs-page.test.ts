import assert from 'node:assert/strict';
import { test } from 'node:test';
import openApi from '@souk/contracts/openapi.json' with { type: 'json' };
import { docsPage } from './docs-page.ts';

const EVIL = `<img src=x onerror=alert(1)> "' &`;

/** Every text of a document, replaced. */
const poisoned = {
  info: { title: EVIL, version: EVIL, description: `${EVIL}\n\n- ${EVIL}\n\n\`${EVIL}\`` },
  tags: [{ name: EVIL, description: EVIL }],
  paths: {
    [EVIL]: {
      get: {
        operationId: EVIL,
        summary: EVIL,
        description: `${EVIL} more`,
        tags: [EVIL],
        security: [{}],
        parameters: [{ name: EVIL, in: EVIL, required: true, description: EVIL, schema: { type: EVIL, format: EVIL } }],
        requestBody: { content: { [EVIL]: { schema: { properties: { [EVIL]: { description: EVIL } } } } } },
        responses: { [EVIL]: { description: EVIL, content: { a: { schema: { $ref: `#/${EVIL}` } } } } },
      },
    },
  },
  components: { schemas: { [EVIL]: { description: EVIL, enum: [EVIL] } } },
};

test('every operation, and every type, of our interface is on the page', () => {
  const page = docsPage(openApi);
  const operations = Object.values(openApi.paths).flatMap((verbs) => Object.values(verbs as object));
  assert.ok(operations.length > 20);
  for (const { operationId } of operations as { operationId: string }[]) {
    assert.equal(page.split(`<details id="${operationId}">`).length, 2, operationId);
  }
  for (const name of Object.keys(openApi.components.schemas)) assert.ok(page.includes(`id="schema-${name}"`), name);
});

test('links between types lead somewhere', () => {
  const page = docsPage(openApi);
  for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) {
    assert.ok(page.includes(`id="${target}"`), String(target));
  }
});

test('nothing in the document becomes markup', () => {
  const page = docsPage(poisoned);
  assert.doesNotMatch(page, /<img/);
  assert.ok(page.includes('&lt;img src=x onerror=alert(1)&gt; &quot;&#39; &amp;'));
  const clean = docsPage({
    ...poisoned,
    info: { title: 'a', version: 'a' },
    tags: [],
    paths: {},
    components: { schemas: {} },
  });
  assert.equal(page.match(/<script/g)?.length, clean.match(/<script/g)?.length);
});

test('a document without tags, texts and types makes a page', () => {
  assert.match(
    docsPage({ info: { title: 'x', version: '1' }, paths: {}, components: { schemas: {} } }),
    /^<!doctype html>/,
  );
});
