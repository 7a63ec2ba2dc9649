import { fromUnknown } from '@souk/kernel';
import { type Declaration, declare, type Sections } from './declaration.ts';
import type { Environment } from './environment.ts';
import { configErrors } from './errors.ts';
import { environmentLayer, type Found, fileLayer, flagLayer } from './layers.ts';
import type { Settings } from './setting.ts';
import type { SettingsFile } from './settings-file.ts';

export interface LoadOptions<TSections extends Sections> {
  /** What can be set: a shape per section, for example one for `http` and one for each service. */
  readonly sections: TSections;
  readonly file?: SettingsFile | undefined;
  readonly env?: Environment | undefined;
  /** Arguments of the command line that are settings: `['--orders.reservation-ttl=15m']`. */
  readonly flags?: readonly string[] | undefined;
  /** Variables that start with `SOUK_`, are no settings and are read elsewhere. */
  readonly knownEnv?: readonly string[] | undefined;
}

export type SettingsOf<TSections extends Sections> = { readonly [S in keyof TSections]: Settings<TSections[S]> };

/** One line of `souk config`. */
export interface EffectiveSetting {
  /** `orders.reservationTtl` */
  readonly name: string;
  /** As people read it, secrets masked; undefined when not set. */
  readonly value: string | undefined;
  /** `default`, `souk.json: orders.reservationTtl`, `environment …`, `flag …`, or `not set`. */
  readonly origin: string;
  readonly default: string | undefined;
  readonly allowed: string;
  readonly description: string;
  /** Names of its environment variables. */
  readonly env: readonly string[];
  /** `--orders.reservation-ttl` */
  readonly flag: string;
}

export interface LoadedSettings<TSections extends Sections> {
  readonly values: SettingsOf<TSections>;
  /** All settings in the order of declaration. */
  readonly effective: readonly EffectiveSetting[];
  /** Worth a line in the log: variables that look like a misspelt setting. */
  readonly warnings: readonly string[];
}

/**
 * Settings from, lowest first: defaults, file, environment, flags.
 *
 * @throws CONFIG_INVALID listing everything that is wrong, with where it was found; its `violations` hold one entry for each
 * @throws CONFIG_DECLARATION when two settings would be set by the same name
 */
export function loadSettings<const TSections extends Sections>(
  options: LoadOptions<TSections>,
): LoadedSettings<TSections> {
  const declarations = declare(options.sections);
  const layers = [
    flagLayer(options.flags ?? [], declarations),
    environmentLayer(options.env ?? {}, declarations, options.knownEnv ?? []),
    fileLayer(options.file, options.sections),
  ];
  const problems = layers.flatMap((layer) => layer.problems);
  const values: Record<string, Record<string, unknown>> = {};
  for (const section of Object.keys(options.sections)) values[section] = {};
  const effective = declarations.map((declaration): EffectiveSetting => {
    // A value that a higher layer covers is checked too: it would surprise whoever removes the cover.
    const read = layers
      .map((layer) => layer.found.get(declaration.path))
      .filter((found) => found !== undefined)
      .map((found) => ({ found, value: parse(declaration, found, problems) }));
    const { setting, section, name } = declaration;
    const value = read.length > 0 ? read[0]?.value : setting.fallback;
    if (read.length === 0 && setting.fallback === undefined && !setting.optional) problems.push(missing(declaration));
    (values[section] as Record<string, unknown>)[name] = value;
    return describe(declaration, value, read[0]?.found.origin);
  });
  if (problems.length > 0) throw invalid(problems);
  for (const section of Object.values(values)) Object.freeze(section);
  return Object.freeze({
    values: Object.freeze(values) as SettingsOf<TSections>,
    effective: Object.freeze(effective),
    warnings: Object.freeze(layers.flatMap((layer) => layer.warnings)),
  });
}

function parse({ path, setting }: Declaration, { raw, origin }: Found, problems: string[]): unknown {
  try {
    return setting.parse(raw);
  } catch (thrown) {
    problems.push(`${path}: ${fromUnknown(thrown).message} (${origin})`);
    return undefined;
  }
}

const missing = ({ path, setting, env, flags }: Declaration): string =>
  `${path} is required: set ${path} in the file, ${env[0]} or ${flags[0]} to ${setting.allowed}`;

const invalid = (problems: readonly string[]) => {
  const count = problems.length === 1 ? 'a setting is wrong' : `${problems.length} settings are wrong`;
  return configErrors.INVALID(
    { problems: [`${count}:`, ...problems].join('\n  - ') },
    { violations: problems.map((detail) => ({ pointer: '', detail })) },
  );
};

function describe(declaration: Declaration, value: unknown, origin: string | undefined): EffectiveSetting {
  const { path, setting, env, flags } = declaration;
  const print = (one: unknown) => (one === undefined ? undefined : setting.print(one));
  return Object.freeze({
    name: path,
    value: print(value),
    origin: origin ?? (value === undefined ? 'not set' : 'default'),
    default: print(setting.fallback),
    allowed: setting.allowed,
    description: setting.description,
    env,
    flag: flags[0] ?? `--${path}`,
  });
}
