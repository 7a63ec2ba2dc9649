import type { Transaction } from '@souk/store';
import { projectionErrors } from './errors.ts';
import type { RecordedEvent } from './event.ts';

/**
 * The name under which a table is to be used: the live one, or the one that is being filled beside it. Texts of statements stay constant:
 * there are two of each.
 */
export type TableName = (table: string) => string;

/** Which events concern it. */
export interface Interest {
  /** Categories of streams: what stands before the first `-`. Empty means all. @default [] */
  readonly categories?: readonly string[];
  /** Types of events. @default all of the categories */
  readonly types?: readonly string[];
}

export interface ProjectionInit extends Interest {
  /** Lower case, digits and dashes; unique in its service. It never changes: progress is kept under it. */
  readonly name: string;
  /** Goes up by one when `create` or `apply` give another result: the tables are then made anew at the next start. From 1. */
  readonly version: number;
  /** Its tables, without a schema. Nothing else may write them, unless it is inline. */
  readonly tables: readonly string[];
  /** The SQL that creates the tables and their indexes. Indexes are left unnamed: two generations of them exist at once. */
  readonly create: (table: TableName) => string;
  /**
   * Applies events, in their order, in the given transaction: all that it writes and the progress commit together, so each event counts
   * once. It may be called again with the same events when the transaction failed; it has no other effects. Events of one stream come in
   * order and never at the same time; of several partitions, transactions run side by side.
   */
  readonly apply: (tx: Transaction, events: readonly RecordedEvent[], table: TableName) => Promise<void>;
  /** Parts of the streams that are worked on side by side, from 1 to 64. Another number holds from the next rebuild on. @default 1 */
  readonly partitions?: number;
  /**
   * `async`: follows the events, a moment behind. `inline`: the appender writes the tables in its own transaction; `apply` is for rebuilds and
   * for {@link Projections.applyInline}. @default 'async'
   */
  readonly mode?: 'async' | 'inline';
}

/** A read model made of events. */
export interface ProjectionDefinition extends Required<ProjectionInit> {
  readonly kind: 'projection';
}

const NAME = /^[a-z][a-z0-9-]{0,62}$/;
/** With the suffix it must fit into an identifier of PostgreSQL. */
const TABLE = /^[a-z_][a-z0-9_]{0,49}$/;
const MAX_PARTITIONS = 64;

/** @throws PROJECTION_INVALID */
export function defineProjection(init: ProjectionInit): ProjectionDefinition {
  const definition: ProjectionDefinition = {
    kind: 'projection',
    categories: [],
    types: [],
    partitions: 1,
    mode: 'async',
    ...init,
  };
  const { name, version, tables } = definition;
  checkFollower(definition);
  if (!(Number.isSafeInteger(version) && version >= 1))
    throw invalid(name, `version must be 1 or more, got ${version}`);
  if (tables.length === 0) throw invalid(name, 'it names no tables');
  for (const table of tables) {
    if (!TABLE.test(table))
      throw invalid(name, `${table} cannot be the name of a table: want a-z, 0-9 and _, at most 50`);
  }
  return Object.freeze(definition);
}

/** What projections and subscriptions have to keep to. */
export function checkFollower({ name, partitions }: { readonly name: string; readonly partitions: number }): void {
  if (!NAME.test(name)) throw invalid(name, 'its name must be a-z, 0-9 and -, at most 63 characters');
  if (!(Number.isInteger(partitions) && partitions >= 1 && partitions <= MAX_PARTITIONS))
    throw invalid(name, `partitions must be 1 to ${MAX_PARTITIONS}, got ${partitions}`);
}

const invalid = (name: string, why: string) => projectionErrors.INVALID({ name, why });

const NEXT = '__next';
const OLD = '__old';

/** Names of the tables of a generation. @throws PROJECTION_INVALID for a table that was not declared */
export function tableNames(definition: Pick<ProjectionDefinition, 'name' | 'tables'>, building: boolean): TableName {
  return (table) => {
    if (!definition.tables.includes(table)) throw invalid(definition.name, `${table} is not one of its tables`);
    return building ? `${table}${NEXT}` : table;
  };
}

export const oldName = (table: string): string => `${table}${OLD}`;

/** Whether an event concerns it. */
export const concerns = ({ categories = [], types = [] }: Interest, { stream, type }: RecordedEvent): boolean =>
  (categories.length === 0 || categories.includes(categoryOf(stream))) && (types.length === 0 || types.includes(type));

export const categoryOf = (stream: string): string => {
  const end = stream.indexOf('-');
  return end < 0 ? stream : stream.slice(0, end);
};
