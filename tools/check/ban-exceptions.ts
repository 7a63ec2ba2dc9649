// The owners: who may write what nobody else may, and why.

interface Exception {
  readonly bans: readonly string[];
  /** A file, or a directory when it ends in a slash. */
  readonly path: string;
  readonly reason: string;
}

export const exceptions: readonly Exception[] = [
  {
    bans: ['clock', 'timers'],
    path: 'platform/kernel/src/system-time.ts',
    reason: 'is the real clock and the real timers',
  },
  { bans: ['random'], path: 'platform/kernel/src/system-random.ts', reason: 'is the real source of chance' },
  { bans: ['sleep'], path: 'platform/kernel/src/system-time.test.ts', reason: 'tests the real timers' },
  {
    bans: ['environment'],
    path: 'platform/config/src/environment.ts',
    reason: 'is the only reader of the environment',
  },
  {
    bans: ['clock', 'timers', 'random', 'environment', 'module-state'],
    path: 'apps/',
    reason: 'an app is where the world is put together',
  },
  {
    bans: ['timers'],
    path: 'platform/kernel/src/virtual-runtime.ts',
    reason: 'lets pending promises run between two steps of virtual time',
  },
  { bans: ['sleep'], path: 'tests/support/', reason: 'waits for real processes' },
  { bans: ['sleep'], path: 'tools/', reason: 'tests of the tools run real processes' },
];

/** Whether the path may do what the ban forbids. */
export const allowed = (ban: string, path: string): boolean =>
  exceptions.some(
    (one) => one.bans.includes(ban) && (one.path.endsWith('/') ? path.startsWith(one.path) : path === one.path),
  );
