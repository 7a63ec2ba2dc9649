/** One change, while it is made. */
export interface Change {
  /** Its number: taken from the revisions when it is first read. A change that reads it never has changed nothing. */
  readonly rev: number;
  /**
   * Adds to the log what has changed, for the {@link Persistent} of this name: after a restart its `replay` gets the entry again, in the
   * same order. Must be JSON. Without a log, nothing happens.
   */
  log(persistent: string, entry: unknown): void;
}

/** The only writer. Changes happen one after the other, in groups. */
export interface Commits {
  /**
   * Runs the change with those that come within the commit delay. It is made in one go: check first, and throw before anything is
   * changed. Resolves with what it returns when it is in the log, on disk.
   *
   * @throws what the change throws; REGISTRY_NOT_WRITABLE when it cannot be logged, or when the registry stops
   */
  run<T>(change: (change: Change) => T): Promise<T>;
}

/** State that outlives the process: a snapshot, and the changes since. */
export interface Persistent {
  /** Unique, and for ever the same: it is in the files. */
  readonly name: string;
  /** All of it, as JSON. */
  save(): unknown;
  /** Takes what `save` gave, before the first change. @throws anything, when it is not what `save` gives: it is set aside */
  load(data: unknown): void;
  /** Makes a change once more, from what was given to `Change.log`. Wakes nobody and logs nothing. */
  replay(entry: unknown): void;
}
