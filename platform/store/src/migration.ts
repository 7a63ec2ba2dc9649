/** One step in the life of a schema. Never edited once released: its checksum is stored with it. */
export interface Migration {
  /** A group and a name, sorted as text within its list: `orders/0001-orders`. Groups of packages and services do not overlap. */
  readonly id: string;
  /** One or more statements, run in one transaction. */
  readonly sql: string;
}
