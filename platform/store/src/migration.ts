/** One step in the life of a schema. Never edited once released: its checksum is stored with it. */
export interface Migration {
  /** Unique over the service, sorted as text within its list: `orders/0001-orders`. */
  readonly id: string;
  /** One or more statements, run in one transaction. */
  readonly sql: string;
}
