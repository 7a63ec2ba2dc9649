import { duration, integer, secret, text } from '@souk/config';

export const usersSettings = {
  issuer: text({ default: 'https://souk.local', describe: 'Who signs access tokens: the claim `iss`.' }),
  audience: text({ default: 'souk', describe: 'Whom access tokens are for: the claim `aud`.' }),
  accessTokenTtl: duration({
    default: '15m',
    min: '1m',
    max: '15m',
    describe:
      'How long an access token is good. A closed account or ended session is noticed after at most this; shorter means more refreshes.',
  }),
  sessionTtl: duration({
    default: '30d',
    min: '1h',
    describe: 'How long a session lives, however often it is refreshed. After it the user signs in again.',
  }),
  keyRotation: duration({
    default: '30d',
    min: '1h',
    describe:
      'How long one key signs. Shorter limits what a stolen key is worth; each key costs a row and an entry of the key set.',
  }),
  keyEncryptionKey: secret({
    optional: true,
    minLength: 32,
    describe:
      'Encrypts the private signing keys in the database. Without it whoever reads the database can sign tokens; with it a lost secret means new keys.',
  }),
  passwordMemory: integer({
    default: 19_456,
    min: 8,
    max: 262_144,
    describe: 'Memory of one password hash (argon2id) in KiB. More makes guessing dearer, and each sign-in too.',
  }),
  passwordPasses: integer({
    default: 2,
    min: 1,
    max: 16,
    describe: 'Passes over that memory. More makes guessing dearer, and each sign-in too.',
  }),
  loginFailures: integer({
    default: 5,
    min: 1,
    max: 1000,
    describe:
      'Failed sign-ins in a row before an account is locked for a while. Fewer stop guessing sooner; more forgive typing errors.',
  }),
  lockout: duration({
    default: '30s',
    min: '1s',
    describe: 'First lock of an account; each further failure doubles it.',
  }),
  maxLockout: duration({
    default: '15m',
    min: '1s',
    describe: 'Longest lock. Longer slows guessing; it also lets a stranger keep the owner out for longer.',
  }),
  forgetFailures: duration({
    default: '1h',
    min: '1m',
    describe:
      'Failures are forgotten when none was added for this long. Longer than maxLockout, or locks never grow to it.',
  }),
  sweepEvery: duration({
    default: '10m',
    describe: 'Gap between looks for what is over: sessions, failures, signing keys.',
  }),
};
