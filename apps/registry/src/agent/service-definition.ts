import { registryErrors } from '../errors.ts';
import type { Fields } from '../http/fields.ts';
import type { InstanceEntry } from '../state/catalog.ts';
import type { Fresh } from '../state/catalog-store.ts';

const META_KEY = /^[A-Za-z0-9_-]+$/;
const META_PAIRS = 64;
const META_KEY_LENGTH = 128;
const META_VALUE_LENGTH = 512;
const MOST_WEIGHT = 65_535;
/** No client can call them. */
const UNSPECIFIED = new Set(['0.0.0.0', '::', '[::]']);

/**
 * What a client registers.
 *
 * @param nameField What the API calls the name of the service: `Name`, or `Service` in the catalog.
 * @throws REGISTRY_DECODE_FAILED, REGISTRY_MALFORMED
 */
export function parseInstance(fields: Fields, node: string, nameField: 'Name' | 'Service'): Fresh<InstanceEntry> {
  const service = fields.text(nameField);
  if (service === '') throw refused('Missing service name');
  const id = fields.text('ID') || service;
  const address = fields.text('Address');
  const taggedAddresses = Object.fromEntries(
    fields
      .objectMap('TaggedAddresses')
      .map(([name, one]) => [name, { address: one.text('Address'), port: one.integer('Port') }]),
  );
  const addresses = [address, ...Object.values(taggedAddresses).map((one) => one.address)];
  if (addresses.some((one) => UNSPECIFIED.has(one))) throw refused('Invalid service address');
  const port = fields.integer('Port');
  if (port < 0 || port > 65_535) throw refused('Invalid service port: want 0 to 65535');
  return {
    ...{ node, id, service, address, port, taggedAddresses },
    kind: fields.text('Kind'),
    tags: fields.texts('Tags'),
    meta: checkMeta(fields.textMap('Meta')),
    weights: parseWeights(fields.object('Weights')),
    enableTagOverride: fields.flag('EnableTagOverride'),
    souk: undefined,
  };
}

function parseWeights(fields: Fields | undefined): InstanceEntry['weights'] {
  if (fields === undefined) return { passing: 1, warning: 1 };
  const [passing, warning] = [fields.integer('Passing'), fields.integer('Warning')];
  if (passing < 1) throw refused('Invalid Weights: Passing must be greater than 0');
  if (warning < 0) throw refused('Invalid Weights: Warning must be greater or equal than 0');
  if (passing > MOST_WEIGHT || warning > MOST_WEIGHT) throw refused(`Invalid Weights: at most ${MOST_WEIGHT}`);
  return { passing, warning };
}

function checkMeta(meta: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const pairs = Object.entries(meta);
  const why =
    pairs.length > META_PAIRS
      ? `at most ${META_PAIRS} pairs`
      : pairs.map(([key, value]) => wrongPair(key, value)).find((one) => one !== undefined);
  if (why !== undefined) throw refused(`Invalid Service Meta: ${why}`);
  return meta;
}

function wrongPair(key: string, value: string): string | undefined {
  if (key === '') return 'a key is empty';
  if (!META_KEY.test(key)) return 'a key has other characters than letters, digits, - and _';
  if (key.length > META_KEY_LENGTH) return `a key is longer than ${META_KEY_LENGTH} characters`;
  if (key.startsWith('consul-')) return "keys that start with 'consul-' are reserved";
  return value.length > META_VALUE_LENGTH ? `a value is longer than ${META_VALUE_LENGTH} characters` : undefined;
}

const refused = (what: string) => registryErrors.MALFORMED({ what });
