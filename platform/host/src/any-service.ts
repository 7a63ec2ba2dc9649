import type { DescMessage, DescService } from '@bufbuild/protobuf';
import type { SettingsShape } from '@souk/config';
import type { EventSubscription, ProjectionDefinition } from '@souk/eventstore';
import type { Subscription } from '@souk/messaging';
import type { SagaDefinition } from '@souk/saga';
import type { Calls, Deps, EventStoreParts } from '@souk/service';
import type { Migration } from '@souk/store';

/** Dependencies whatever the service: what a declaration's functions want more exactly was checked where it was declared. */
export type AnyDeps = Deps<Calls, unknown, unknown>;

/** A service declaration with its types forgotten. Every `ServiceDefinition` is one. */
export interface AnyService {
  readonly name: string;
  readonly serves: readonly DescService[];
  readonly calls: Calls;
  readonly publishes: readonly DescMessage[];
  readonly consumes: readonly Subscription<never>[];
  readonly sagas: readonly SagaDefinition<never, never>[];
  readonly projections: readonly ProjectionDefinition[];
  readonly subscriptions: readonly EventSubscription<never>[];
  readonly eventStore: (init: never) => EventStoreParts;
  readonly settings: SettingsShape;
  readonly migrations: readonly Migration[];
  readonly parts: (deps: never) => unknown;
  readonly start: (deps: never) => unknown;
}
