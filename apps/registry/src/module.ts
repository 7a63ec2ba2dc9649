import type { Logger, Runtime } from '@souk/kernel';
import type { Route } from './http/routes.ts';
import type { Catalog } from './state/catalog.ts';
import type { Commits, Persistent } from './state/commits.ts';
import type { Revisions } from './state/revisions.ts';

/** What every module of the registry gets: `createKv(world): Module`. */
export interface World {
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly revisions: Revisions;
  readonly commits: Commits;
  readonly catalog: Catalog;
  readonly datacenter: string;
  /** Name of the node that is this registry. */
  readonly nodeName: string;
}

/** A part of the API with the state behind it. */
export interface Module {
  readonly routes: readonly Route[];
  readonly persistent?: Persistent;
  /** After the state was restored, before the first request: arms timers. */
  start?(): void;
  /** Lets go of timers. */
  stop?(): void;
}
