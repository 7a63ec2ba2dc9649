import { inspect } from 'node:util';
import { loadSettings } from '@souk/config';
import { AuthService, UserService } from '@souk/contracts/users/v1/users';
import {
  type Context,
  type Logger,
  rootContext,
  silentLogger,
  type VirtualRuntime,
  virtualRuntime,
} from '@souk/kernel';
import { createInProcessBus, createMessaging, messagingMigrations } from '@souk/messaging';
import { createClient, createInProcessTransport, createRouter } from '@souk/rpc';
import { createTokenVerifier } from '@souk/security';
import type { Job } from '@souk/service';
import { silentTelemetry } from '@souk/telemetry';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { usersSettings } from '../src/config.ts';
import type { UsersDeps, UsersSettings } from '../src/deps.ts';
import { users } from '../src/service.ts';

/** Hashes that take no time. */
const CHEAP: Partial<UsersSettings> = { passwordMemory: 8, passwordPasses: 1 };

/** Everything that was logged, as a person with all tools would see it. */
export interface LogBook {
  readonly log: Logger;
  text(): string;
}

export function logBook(): LogBook {
  const lines: string[] = [];
  const logger = (bound: object): Logger => {
    const write = (message: string, fields = {}) =>
      void lines.push(inspect({ message, ...bound, ...fields }, { depth: 20, showHidden: true }));
    return {
      debug: write,
      info: write,
      warn: write,
      error: write,
      with: (fields) => logger({ ...bound, ...fields }),
      forTrace: (trace) => logger({ ...bound, trace }),
    };
  };
  return { log: logger({}), text: () => lines.join('\n') };
}

export const newDatabase = (): Promise<TestDatabase> => testDatabase('users', [messagingMigrations, users.migrations]);

export interface WorldOptions {
  /** Several instances share one. */
  readonly database?: TestDatabase;
  readonly runtime?: VirtualRuntime;
  readonly settings?: Partial<UsersSettings>;
  readonly log?: Logger;
}

/** An instance of the service as its callers meet it: through the router, on a real database, in virtual time. */
export async function usersWorld(options: WorldOptions = {}) {
  const database = options.database ?? (await newDatabase());
  const runtime = options.runtime ?? virtualRuntime();
  const log = options.log ?? silentLogger;
  const telemetry = { ...silentTelemetry(runtime, 'users'), log };
  const defaults = loadSettings({ sections: { users: usersSettings } }).values.users;
  const settings: UsersSettings = { ...defaults, ...CHEAP, ...options.settings };
  const { publisher } = createMessaging({
    service: 'users',
    db: database.db,
    bus: createInProcessBus({ runtime, log }),
    runtime,
    telemetry,
    publishes: users.publishes,
    subscriptions: [],
  });
  const counted: string[] = [];
  const jobs: Job[] = [];
  const basics = {
    runtime,
    telemetry,
    log,
    db: database.db,
    settings,
    events: publisher,
    calls: {},
    count: (event: string) => counted.push(event),
    schedule: (job: Job) => jobs.push(job),
    onStop: () => {},
    parts: undefined,
  };
  const parts = users.parts(basics as never);
  const handlers = await users.start({ ...basics, parts } as unknown as UsersDeps);
  const router = createRouter({ runtime, telemetry, validateResponses: true });
  router.add(UserService, handlers);
  router.add(AuthService, handlers);
  const transport = createInProcessTransport(router);
  const auth = createClient(AuthService, transport, { runtime, telemetry });
  const as = (caller: Context['caller']): Context => rootContext({ runtime, log, caller });
  const nobody = as({ roles: [] });
  const service = as({ roles: [], service: 'orders' });
  return {
    database,
    runtime,
    settings,
    parts,
    counted,
    users: createClient(UserService, transport, { runtime, telemetry }),
    auth,
    nobody,
    service,
    admin: as({ userId: 'usr_01890000-0000-7000-8000-000000000000', roles: ['customer', 'admin'] }),
    user: (userId: string) => as({ userId, roles: ['customer'] }),
    sql: database.db.at(database.ctx),
    sweep: async () => {
      for (const job of jobs) await job.run(service);
    },
    /** As the edge does it. */
    verifier: () =>
      createTokenVerifier({
        runtime,
        issuer: settings.issuer,
        audience: settings.audience,
        fetchKeys: async () => (await auth.getJwks(nobody, {})).keys,
      }),
    /** Types of the events that were committed, oldest first. */
    published: async () => {
      const { rows } = await database.db
        .at(database.ctx)
        .query<{ type: string; key: string }>('select type, key from souk.outbox order by pos');
      return rows.map(({ type, key }) => `${/[^.]+(?=\.v1$)/.exec(type)?.[0]} ${key}`);
    },
    close: () => database.close(),
  };
}

export type UsersWorld = Awaited<ReturnType<typeof usersWorld>>;

export const PASSWORD = 'correct horse battery staple';

/** A new customer, signed in. */
export async function customer(world: UsersWorld, email = 'ada@example.com') {
  const user = await world.users.createUser(world.nobody, { email, password: PASSWORD });
  const tokens = await world.auth.login(world.nobody, { email, password: PASSWORD });
  return { user, tokens, ctx: world.user(user.id) };
}

/** For `assert.rejects`. */
export const because = (reason: string) => ({ reason });
