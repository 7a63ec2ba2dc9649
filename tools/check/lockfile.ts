// What the lockfile must be for every machine to install the same: free of registry addresses, and complete for every platform.

import { lineAt, type Rule, type Violation } from './rule.ts';

export interface LockEntry {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly link?: boolean;
  readonly optional?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export const readLock = (text: string): Readonly<Record<string, LockEntry>> =>
  (JSON.parse(text) as { packages?: Record<string, LockEntry> }).packages ?? {};

export const lockfile: Rule = {
  name: 'lockfile',
  run: (tree) => {
    const path = 'package-lock.json';
    if (!tree.files.includes(path)) return [{ path, line: 0, message: 'is missing: run npm install and commit it' }];
    const text = tree.read(path);
    const packages = readLock(text);
    const addresses = [...text.matchAll(/"resolved":\s*"(https?|git|file)/g)].map(
      ({ index }): Violation => ({
        path,
        line: lineAt(text, index),
        message: 'names a registry: run npm install with omit-lockfile-registry-resolved',
      }),
    );
    // npm forgets the platform packages of other machines when it makes a lockfile from node_modules; npm ci then refuses it.
    const lacking = Object.entries(packages).flatMap(([at, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => !(`${at}/node_modules/${name}` in packages) && !(`node_modules/${name}` in packages))
        .map((name) => ({
          path,
          line: 0,
          message: `lacks ${name}, which ${at || 'the root'} wants: npm ci fails; make the lockfile anew without node_modules`,
        })),
    );
    return [...addresses, ...lacking];
  },
};
