import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Contracts, loadContracts } from './contracts.ts';
import { openApiDocument } from './document.ts';
import { isObject, type Json, type JsonObject } from './json.ts';
import { apiReference } from './reference.ts';

let contracts: Contracts;
let document: JsonObject;

before(() => {
  contracts = loadContracts();
  document = openApiDocument(contracts);
});

/** Walks to a place named by keys; fails when it is not there. */
function at(value: Json, ...keys: string[]): Json {
  let here = value;
  for (const key of keys) {
    const next = isObject(here) ? here[key] : undefined;
    assert.ok(next !== undefined, `nothing at ${keys.join('/')}`);
    here = next;
  }
  return here;
}

const objectAt = (value: Json, ...keys: string[]): JsonObject => {
  const found = at(value, ...keys);
  assert.ok(isObject(found));
  return found;
};

const operations = (): (readonly [string, string, JsonObject])[] =>
  Object.entries(objectAt(document, 'paths')).flatMap(([path, item]) =>
    Object.keys(objectAt(item)).map((verb) => [path, verb, objectAt(item, verb)] as const),
  );

const parametersOf = (operation: JsonObject): JsonObject[] => {
  const list = operation.parameters;
  if (list === undefined) return [];
  assert.ok(Array.isArray(list));
  return list.map((entry) => {
    const ref = objectAt(entry).$ref;
    return typeof ref === 'string' ? objectAt(document, ...ref.slice(2).split('/')) : objectAt(entry);
  });
};

const operationNamed = (id: string): JsonObject =>
  operations().find(([, , operation]) => operation.operationId === id)?.[2] ?? assert.fail(`no operation ${id}`);

function walk(value: Json, visit: (object: JsonObject) => void): void {
  if (Array.isArray(value)) for (const element of value) walk(element, visit);
  else if (isObject(value)) {
    visit(value);
    for (const element of Object.values(value)) walk(element, visit);
  }
}

describe('the OpenAPI document', () => {
  it('resolves every reference', () => {
    let count = 0;
    walk(document, ({ $ref: ref }) => {
      if (typeof ref !== 'string') return;
      count += 1;
      assert.ok(ref.startsWith('#/'), ref);
      at(document, ...ref.slice(2).split('/'));
    });
    assert.ok(count > 100);
  });

  it('names every schema that it keeps somewhere', () => {
    const named = new Set<string>();
    walk(document, ({ $ref: ref }) => {
      if (typeof ref === 'string') named.add(ref);
    });
    for (const name of Object.keys(objectAt(document, 'components', 'schemas'))) {
      assert.ok(named.has(`#/components/schemas/${name}`), name);
    }
  });

  it('has an operation for every REST method, each with an id of its own', () => {
    const routes = contracts.services.flatMap((service) => service.methods).filter((method) => method.route);
    const ids = operations().map(([, , operation]) => operation.operationId);
    assert.equal(ids.length, routes.length);
    assert.equal(new Set(ids).size, ids.length);
  });

  it('declares exactly the variables of each path, all required', () => {
    for (const [path, verb, operation] of operations()) {
      const variables = [...path.matchAll(/\{([^}]*)\}/g)].map(([, name]) => name).sort();
      const declared = parametersOf(operation).filter((parameter) => parameter.in === 'path');
      assert.deepEqual(declared.map(({ name }) => name).sort(), variables, `${verb} ${path}`);
      assert.ok(declared.every(({ required }) => required === true));
    }
  });

  it('declares no parameter twice', () => {
    for (const [path, , operation] of operations()) {
      const names = parametersOf(operation).map((parameter) => `${parameter.in} ${parameter.name}`);
      assert.equal(new Set(names).size, names.length, path);
    }
  });

  it('uses tags that it declares', () => {
    const { tags } = document;
    assert.ok(Array.isArray(tags));
    const declared = tags.map((tag) => objectAt(tag).name);
    for (const [, , operation] of operations()) {
      assert.ok(Array.isArray(operation.tags) && operation.tags.every((tag) => declared.includes(tag)));
    }
  });

  it('demands an Idempotency-Key where the contract does', () => {
    const demanding = operations()
      .filter(([, , operation]) =>
        parametersOf(operation).some(({ name, required }) => name === 'Idempotency-Key' && required),
      )
      .map(([, , operation]) => operation.operationId);
    assert.deepEqual(demanding.sort(), ['createPayment', 'placeOrder', 'refundPayment']);
  });

  it('takes If-Match and Prefer as headers, not in the body', () => {
    const names = (id: string) => parametersOf(operationNamed(id)).map(({ name }) => name);
    assert.ok(names('updateProduct').includes('If-Match'));
    assert.ok(names('placeOrder').includes('Prefer'));
    const body = objectAt(document, 'components', 'schemas', 'PlaceOrderRequest', 'properties');
    assert.deepEqual(Object.keys(body), ['userId', 'items', 'paymentMethodId', 'shippingAddress', 'currency']);
  });

  it('answers 201 to what makes something, 200 to the rest', () => {
    assert.ok(objectAt(operationNamed('createUser'), 'responses')['201']);
    assert.ok(objectAt(operationNamed('login'), 'responses')['200']);
  });

  it('needs a bearer token except where anybody may call', () => {
    assert.deepEqual(operationNamed('listProducts').security, []);
    assert.deepEqual(operationNamed('getOrder').security, [{ bearer: [] }]);
  });

  it('turns rules into keywords', () => {
    const properties = (name: string) => objectAt(document, 'components', 'schemas', name, 'properties');
    const password = objectAt(properties('CreateUserRequest'), 'password');
    assert.deepEqual([password.minLength, password.maxLength], [8, 128]);
    const quantity = objectAt(properties('OrderItem'), 'quantity');
    assert.deepEqual([quantity.type, quantity.minimum, quantity.maximum], ['integer', 1, 999]);
    const items = objectAt(properties('PlaceOrderRequest'), 'items');
    assert.deepEqual([items.minItems, items.maxItems], [1, 200]);
    assert.equal(objectAt(properties('Money'), 'minorUnits').type, 'string');
    assert.deepEqual(objectAt(properties('Order'), 'createdAt').format, 'date-time');
    assert.deepEqual(at(document, 'components', 'schemas', 'SetStockRequest', 'required'), ['onHand']);
    assert.match(String(objectAt(properties('Order'), 'id').pattern), /^\^ord_/);
  });

  it('gives examples that keep the rules of length, pattern and value', () => {
    walk(objectAt(document, 'components', 'schemas'), ({ examples, pattern, type, minimum }) => {
      if (!Array.isArray(examples)) return;
      for (const example of examples) {
        if (typeof pattern === 'string') assert.match(String(example), new RegExp(pattern, 'u'));
        if (type === 'integer') assert.ok(Number.isInteger(example) && Number(example) >= Number(minimum ?? -Infinity));
        if (type === 'string') assert.equal(typeof example, 'string');
      }
    });
  });

  it('uses the field names that clients rely on', () => {
    const has = (name: string, ...fields: string[]): void => {
      const properties = objectAt(document, 'components', 'schemas', name, 'properties');
      for (const field of fields) assert.ok(field in properties, `${name}.${field}`);
    };
    has('CreateUserRequest', 'email', 'username', 'password', 'profile');
    has('Profile', 'firstName', 'lastName');
    has('Tokens', 'accessToken', 'refreshToken', 'expiresIn');
    has('ListProductsResponse', 'products', 'facets', 'nextPageToken');
    has('Product', 'id', 'name', 'description', 'category', 'price');
    has('SetStockRequest', 'onHand');
    has('Availability', 'productId', 'onHand', 'reserved', 'available');
    has('PaymentMethod', 'id', 'brand', 'last4');
    has('Order', 'id', 'userId', 'status', 'reason', 'items', 'total', 'paymentStatus', 'fulfilmentStatus');
    has('Order', 'createdAt', 'version');
    has('ListUserOrdersResponse', 'orders', 'nextPageToken');
    has('Address', 'name', 'line1', 'line2', 'city', 'postalCode', 'country');
  });
});

describe('a stream of responses', () => {
  it('is described as server-sent events, from which a client can go on', () => {
    const operation = operationNamed('watchOrder');
    const response = objectAt(operation, 'responses', '200');
    assert.match(String(response.description), /^Server-sent events.*its id is `version`/);
    const { schema, example } = objectAt(response, 'content', 'text/event-stream');
    assert.deepEqual(schema, { $ref: '#/components/schemas/OrderUpdate' });
    assert.match(String(example), /^id: 1\ndata: \{.*\}\n\n$/);
    assert.equal(response.headers, undefined);
    assert.ok(parametersOf(operation).some(({ name, in: place }) => name === 'Last-Event-ID' && place === 'header'));
  });

  it('is named in the reference', () => {
    const named = /returns a stream of \[OrderUpdate\]\(#[^)]*\), over REST as server-sent events/;
    assert.match(apiReference(contracts), named);
  });
});

describe('the API reference', () => {
  it('names every method and every event', () => {
    const text = apiReference(contracts);
    for (const service of contracts.services) {
      for (const method of service.methods) assert.ok(text.includes(`${service.desc.typeName}/${method.desc.name}`));
    }
    for (const { type } of contracts.events) assert.ok(text.includes(`\`${type}\``), type);
  });

  it('has a target for every link', () => {
    const text = apiReference(contracts);
    const targets = new Set([...text.matchAll(/<a id="([^"]*)">/g)].map(([, id]) => id));
    for (const [, title = ''] of text.matchAll(/^## (.*)$/gm)) targets.add(title.toLowerCase().replaceAll(' ', '-'));
    for (const [, target] of text.matchAll(/\]\(#([^)]*)\)/g))
      assert.ok(targets.has(target), `no target for ${target}`);
  });

  it('explains every declaration', () => {
    for (const service of contracts.services) {
      assert.ok(service.comment, service.tag);
      for (const method of service.methods) {
        assert.ok(method.comment, method.desc.toString());
        for (const message of [method.desc.input, method.desc.output]) {
          assert.ok(contracts.comment(message), message.typeName);
          for (const field of message.fields) assert.ok(contracts.comment(field), field.toString());
        }
      }
    }
  });
});

describe('the program', () => {
  it('finds both documents up to date', () => {
    const main = fileURLToPath(new URL('main.ts', import.meta.url));
    execFileSync(process.execPath, [main, '--check'], { stdio: 'pipe' });
  });

  it('writes the same twice', () => {
    const again = loadContracts();
    assert.equal(JSON.stringify(openApiDocument(again)), JSON.stringify(document));
    assert.equal(apiReference(again), apiReference(contracts));
  });
});
