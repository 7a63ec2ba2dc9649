import { type DescMessage, fromJson, type JsonValue, type MessageShape } from '@bufbuild/protobuf';
import type { Command, Given } from '../cli/command.ts';
import { type Terminal, terminal } from '../cli/terminal.ts';
import { createShopClient } from '../client/shop-client.ts';
import { appErrors } from '../errors.ts';
import { loadShopSettings } from '../load-shop-settings.ts';
import { readOperatorToken } from '../operator-token.ts';
import { shopUrlOf } from '../topology/find-control.ts';

/** A running shop, as its operator reaches it: over REST, with the token of its data folder. */
export interface Operator {
  readonly out: Terminal;
  /** Wants JSON, not words. */
  readonly json: boolean;
  /** @throws APP_NOT_RUNNING, APP_REFUSED, APP_NO_OPERATOR */
  ask<TDesc extends DescMessage>(
    schema: TDesc,
    verb: string,
    path: string,
    body?: unknown,
  ): Promise<MessageShape<TDesc>>;
  /** The answer as it was sent, for `--json`; `decode` reads it. */
  askRaw(verb: string, path: string, body?: unknown): Promise<JsonValue>;
}

/** Options that every command of operators has. */
export const operatorOptions = { url: { type: 'string' }, json: { type: 'boolean' } } as const;

export const operatorHelp: Command['help'] = [
  ['--json', 'For machines.'],
  ['--url <url>', 'Where the shop is. Default: this machine, at the port of the settings.'],
];

export async function operatorOf(given: Given): Promise<Operator> {
  const { values, env, folder } = await loadShopSettings(given.settings);
  const client = createShopClient(shopUrlOf(given.options.url, folder, values.http.port));
  const askRaw: Operator['askRaw'] = (verb, path, body) =>
    client.call<JsonValue>(verb, path, { token: readOperatorToken(folder), body });
  return {
    out: terminal(env),
    json: given.options.json === true,
    ask: async (schema, verb, path, body) => decode(schema, await askRaw(verb, path, body)),
    askRaw,
  };
}

/** An answer as the contract has it; what a newer shop says beyond it is left out. */
export const decode = <TDesc extends DescMessage>(schema: TDesc, answer: JsonValue): MessageShape<TDesc> =>
  fromJson(schema, answer, { ignoreUnknownFields: true });

/** `?status=STUCK&page_size=20`; what is undefined is left out. */
export function query(parameters: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '');
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return search.size === 0 ? '' : `?${search}`;
}

/** The option's text, if it was given. */
export const text = (given: Given, name: string): string | undefined =>
  given.options[name] === undefined ? undefined : String(given.options[name]);

/** Why somebody does it. @throws APP_USAGE without `--reason` */
export function reasonOf(given: Given, command: string): string {
  const reason = text(given, 'reason')?.trim() ?? '';
  if (reason.length >= SHORTEST_REASON) return reason;
  throw appErrors.USAGE({ problem: '--reason must say why, for whoever looks at it later', command });
}

const SHORTEST_REASON = 3;
