import type { Declaration, Sections } from './declaration.ts';
import type { Environment } from './environment.ts';
import type { SettingsFile } from './settings-file.ts';
import { didYouMean, nearest } from './suggestion.ts';

/** A value before it is understood, and where it was found. */
export interface Found {
  readonly raw: unknown;
  /** `souk.json: orders.reservationTtl`, `environment ORDERS_RESERVATION_TTL`, `flag --orders.reservation-ttl`. */
  readonly origin: string;
}

/** What one layer says, by path of the setting. */
export interface Layer {
  readonly found: ReadonlyMap<string, Found>;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function fileLayer(file: SettingsFile | undefined, sections: Sections): Layer {
  const found = new Map<string, Found>();
  const problems: string[] = [];
  if (file === undefined) return { found, problems, warnings: [] };
  const { path } = file;
  const content = parseJson(file, problems);
  for (const [section, values] of Object.entries(content)) {
    if (section === '$schema') continue;
    const shape = Object.hasOwn(sections, section) ? sections[section] : undefined;
    if (shape === undefined) {
      problems.push(`${path}: there is no section ${section}${didYouMean(section, Object.keys(sections))}`);
    } else if (!isObject(values)) {
      problems.push(`${path}: ${section} is a section: want an object of settings`);
    } else {
      const siblings = Object.keys(shape).map((name) => `${section}.${name}`);
      for (const [name, raw] of Object.entries(values)) {
        const key = `${section}.${name}`;
        if (Object.hasOwn(shape, name)) found.set(key, { raw, origin: `${path}: ${key}` });
        else problems.push(`${path}: there is no setting ${key}${didYouMean(key, siblings)}`);
      }
    }
  }
  return { found, problems, warnings: [] };
}

function parseJson({ path, text }: SettingsFile, problems: string[]): Record<string, unknown> {
  try {
    const content: unknown = JSON.parse(text);
    if (isObject(content)) return content;
    problems.push(`${path}: want an object of sections`);
  } catch (error) {
    // The parser's own message quotes the file, which may hold a secret.
    const at = /\(line \d+ column \d+\)/.exec(error instanceof SyntaxError ? error.message : '')?.[0];
    problems.push(`${path}: this is not JSON${at === undefined ? '' : ` ${at}`}`);
  }
  return {};
}

/**
 * An empty variable counts as not set: that is how compose files and shells hand on what nobody gave.
 * @param known Variables with our prefix that somebody else reads.
 */
export function environmentLayer(
  env: Environment,
  declarations: readonly Declaration[],
  known: readonly string[],
): Layer {
  const found = new Map<string, Found>();
  const problems: string[] = [];
  for (const { path, env: names } of declarations) {
    const given = names.filter((name) => (env[name] ?? '') !== '');
    const [first] = given;
    if (first === undefined) continue;
    if (given.some((name) => env[name] !== env[first])) {
      problems.push(`${path}: ${given.join(' and ')} say different things; set one of them`);
    }
    found.set(path, { raw: env[first], origin: `environment ${first}` });
  }
  return { found, problems: [...problems, ...strangers(env, declarations, known)], warnings: typos(env, declarations) };
}

/** What Kubernetes adds to every container for each service it knows. */
const SERVICE_LINK = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;

/** `SOUK_` is ours: a variable with it that nothing reads is a mistake. */
function strangers(env: Environment, declarations: readonly Declaration[], known: readonly string[]): string[] {
  const names = new Set([...declarations.flatMap((declaration) => declaration.env), ...known]);
  return Object.keys(env)
    .filter((name) => name.startsWith('SOUK_') && !names.has(name) && !SERVICE_LINK.test(name))
    .map((name) => `environment ${name}: no setting has this name${didYouMean(name, names)}`);
}

/** Other names belong to anybody (`HTTP_PROXY` is not our section `http`): one that is nearly ours is worth a word, no more. */
function typos(env: Environment, declarations: readonly Declaration[]): string[] {
  const names = new Set(declarations.flatMap((declaration) => declaration.env));
  const prefixes = new Set(declarations.map(({ env: [own] }) => own?.split('_')[0]));
  return Object.keys(env)
    .filter((name) => !names.has(name) && !name.startsWith('SOUK_') && prefixes.has(name.split('_')[0]))
    .filter((name) => !SERVICE_LINK.test(name) && nearest(name, names, 2).length > 0)
    .map((name) => `environment ${name}: no setting has this name${didYouMean(name, names)}`);
}

/** `--name=value`, `--name value`, and `--name` alone for settings that are on or off. */
export function flagLayer(args: readonly string[], declarations: readonly Declaration[]): Layer {
  const byFlag = new Map(declarations.flatMap((one) => one.flags.map((name) => [name, one] as const)));
  const suggestions = declarations.map((one) => one.flags[0] as string);
  const found = new Map<string, Found>();
  const problems: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] as string;
    const [name = '', value] = split(arg);
    const declaration = byFlag.get(name);
    if (!arg.startsWith('--')) {
      // Not quoted: it may be a secret in the wrong place.
      problems.push(`argument ${index + 1} is no flag: want --section.setting=value`);
    } else if (declaration === undefined) {
      problems.push(`flag ${name}: no setting has this name${didYouMean(name, suggestions)}`);
      // What follows is most likely its value, and would be reported as a second mistake.
      if (value === undefined && args[index + 1]?.startsWith('--') === false) index += 1;
    } else {
      const { path, setting } = declaration;
      let raw: unknown = value;
      if (raw === undefined && setting.kind === 'flag') raw = true;
      else if (raw === undefined && args[index + 1]?.startsWith('--') === false) raw = args[++index];
      if (raw === undefined) problems.push(`flag ${name} has no value: want ${setting.allowed}`);
      else if (found.has(path)) problems.push(`flag ${name} is given twice`);
      else found.set(path, { raw, origin: `flag ${name}` });
    }
  }
  return { found, problems, warnings: [] };
}

function split(arg: string): readonly [string, string | undefined] {
  const at = arg.indexOf('=');
  return at === -1 ? [arg, undefined] : [arg.slice(0, at), arg.slice(at + 1)];
}
