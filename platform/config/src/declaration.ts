import { configErrors } from './errors.ts';
import type { Setting, SettingsShape } from './setting.ts';

/** A setting under all its names. */
export interface Declaration {
  readonly section: string;
  readonly name: string;
  /** `orders.reservationTtl`: in the file, in errors. */
  readonly path: string;
  /** `--orders.reservation-ttl` first; the spelling of the file is understood as well. */
  readonly flags: readonly string[];
  /** `ORDERS_RESERVATION_TTL` first, then the names the setting asks for. */
  readonly env: readonly string[];
  readonly setting: Setting<unknown>;
}

export type Sections = Readonly<Record<string, SettingsShape>>;

/** @throws CONFIG_DECLARATION when two settings share a name */
export function declare(sections: Sections): readonly Declaration[] {
  const declarations = Object.entries(sections).flatMap(([section, shape]) =>
    Object.entries(shape).map(([name, setting]): Declaration => {
      const path = `${section}.${name}`;
      return {
        section,
        name,
        path,
        flags: [...new Set([`--${kebab(section)}.${kebab(name)}`, `--${path}`])],
        env: [...new Set([`${upper(section)}_${upper(name)}`, ...setting.env])],
        setting,
      };
    }),
  );
  refuseSharedNames(declarations);
  return declarations;
}

function refuseSharedNames(declarations: readonly Declaration[]): void {
  const owners = new Map<string, string>();
  for (const { path, flags, env } of declarations) {
    for (const name of [...flags, ...env]) {
      const owner = owners.get(name);
      if (owner !== undefined) throw configErrors.DECLARATION({ setting: path, why: `${name} already sets ${owner}` });
      owners.set(name, path);
    }
  }
}

const kebab = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();

const upper = (name: string): string =>
  kebab(name)
    .replaceAll(/[^a-z0-9]+/g, '_')
    .toUpperCase();
