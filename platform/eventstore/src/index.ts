export { eventStoreErrors } from './errors.ts';
export type { EventMetadata, NewEvent, StoredEvent } from './event.ts';
export {
  type Append,
  createEventStore,
  type EventStore,
  type ExpectedVersion,
  type ReadOptions,
} from './event-store.ts';
export { type Decider, fold } from './fold.ts';
export { eventStoreMigrations } from './migrations.ts';
