// Where a shop of `crashing-shop.ts` ends one of its processes.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A boundary, and who dies at it. In one process there is but one who can. */
export interface CrashPoint {
  readonly when: 'before' | 'after';
  /** Full name of a method, or `payments hears <type of event>`. */
  readonly what: string;
  /** Full name of a method whose answer shall take a while. */
  readonly hold?: string;
  /** Process that serves or hears it. */
  readonly at: string;
  /** Another process to die, which waits for the answer. @default the one that serves it */
  readonly caller?: string;
}

export interface ArmedPoint extends CrashPoint {
  readonly round: number;
}

const FILE = 'crash-point.json';

/** What was written last. @param folder Data folder of the shop. */
export const readPoint = (folder: string): ArmedPoint =>
  JSON.parse(readFileSync(join(folder, FILE), 'utf8')) as ArmedPoint;

export const writePoint = (folder: string, point: ArmedPoint): void =>
  writeFileSync(join(folder, FILE), JSON.stringify(point));

export const describePoint = ({ when, what, caller }: CrashPoint): string =>
  `${when} ${what}${caller === undefined ? '' : `, of ${caller}, which waits for it`}`;
