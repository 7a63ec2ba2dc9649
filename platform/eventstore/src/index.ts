export type { EventReader, Page, ReadAllOptions } from './all-reader.ts';
export { eventStoreErrors } from './errors.ts';
export type { EventMetadata, NewEvent, RecordedEvent, StoredEvent } from './event.ts';
export {
  type Append,
  createEventStore,
  type EventStore,
  type ExpectedVersion,
  type ReadOptions,
} from './event-store.ts';
export { type Decider, fold } from './fold.ts';
export { eventStoreMigrations } from './migrations.ts';
export { comparePositions, decodePosition, encodePosition, type Position, START } from './position.ts';
