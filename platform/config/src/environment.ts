/** Environment variables by name, as they were when they were read. */
export type Environment = Readonly<Record<string, string>>;

/** The process's environment. The only place of the code base that reads it; everything else is passed settings. */
export function readEnvironment(): Environment {
  const entries = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.freeze(Object.fromEntries(entries));
}
