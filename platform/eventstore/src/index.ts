export type { EventReader, Page, ReadAllOptions } from './all-reader.ts';
export type { Append, AppendResult, ExpectedVersion } from './append.ts';
export { type Appender, createAppender } from './appender.ts';
export { checkEpoch, type EpochChange, type EpochCheck } from './epoch.ts';
export { eventStoreErrors, projectionErrors } from './errors.ts';
export type { EventMetadata, NewEvent, RecordedEvent, StoredEvent } from './event.ts';
export { createEventStore, type EventStore, type EventStoreOptions } from './event-store.ts';
export { type Decider, fold } from './fold.ts';
export { type CommandOptions, type Handled, handle, handleAlone } from './handle.ts';
export { createHorizonWatch, type Horizon, type HorizonWatch } from './horizon.ts';
export { eventStoreMigrations } from './migrations.ts';
export { comparePositions, decodePosition, encodePosition, type Position, START } from './position.ts';
export {
  defineProjection,
  type Interest,
  type ProjectionDefinition,
  type ProjectionInit,
  type TableName,
} from './projection.ts';
export { type ProjectionOptions, projectionDefaults } from './projection-options.ts';
export type { ParkedEvent, Redriven } from './projection-parking.ts';
export type { ProjectionStatus, RebuildProgress } from './projection-status.ts';
export { projectionMigrations } from './projection-tables.ts';
export {
  createProjections,
  type OperatorReason,
  type ProjectionAdmin,
  type ProjectionReads,
  type Projections,
  type ProjectionsInit,
  type RebuildOptions,
} from './projections.ts';
export type { RebuildReason } from './rebuild-generation.ts';
export { createShredder, FORGOTTEN, type PersonalData, type Shredder, type ShredderOptions } from './shredder.ts';
export { createSnapshots, type Fold, type Loaded, type Snapshots } from './snapshot.ts';
export type { PageOptions, ReadOptions, StreamPage, StreamReader } from './stream-reader.ts';
export type { KeyEncryptionKeys } from './subject-keys.ts';
export {
  defineSubscription,
  type EventDelivery,
  type EventSubscription,
  type StoredEventHandler,
  type SubscriptionInit,
} from './subscription.ts';
export { createUpcasters, type Upcasted, type Upcaster, type UpcasterChain, type Upcasters } from './upcaster.ts';
