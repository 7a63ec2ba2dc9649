import { choice, decimal, duration, flag, integer, port, type SettingsOf, secret, text, url } from '@souk/config';
import { busSetting } from './bus-setting.ts';
import { callSections } from './call-settings.ts';
import { AFFINITY } from './edge/affinity.ts';
import { resilienceSettings } from './resilience-settings.ts';
import { createServices, type ShopServices } from './services.ts';

/** Settings of the process itself. */
const processSections = {
  http: {
    port: port({ default: 8080, env: 'PORT', describe: 'Port for REST, Connect and the web pages; 0: any free one.' }),
    host: text({
      default: '127.0.0.1',
      env: 'HOST',
      describe: 'Address to listen on. 127.0.0.1 is reached from this machine only; 0.0.0.0 from everywhere.',
    }),
    devPages: choice(['auto', 'on', 'off'], {
      default: 'auto',
      describe:
        'Pages for development, such as /dev/mailbox, which show personal data to anybody; auto: only while listening on this machine alone.',
    }),
    drain: duration({
      default: '10s',
      max: '5m',
      describe: 'Longest wait for requests under way when stopping. Longer loses fewer answers; shorter stops sooner.',
    }),
    affinity: text({
      default: 'none',
      pattern: AFFINITY,
      describe:
        'What clients stick to instances by, where a service is balanced by key: address (that of the connection), cookie:<name>, or none: then those who are signed in stick by their user. Who sends x-souk-affinity always sticks by that.',
    }),
    idle: duration({
      default: '3s',
      max: '1m',
      describe:
        'A process that takes requests from outside for a split shop, and leaves, closes a connection only when it was not used for so long, within the time of http.drain. Longer: fewer clients send a request just when it is closed; shorter: restarts are sooner done.',
    }),
  },
  store: {
    data: text({
      default: '.souk',
      env: 'SOUK_DATA',
      describe: 'Folder of the embedded database and of everything that is kept.',
    }),
    databaseUrl: url({
      optional: true,
      env: 'DATABASE_URL',
      schemes: ['postgres', 'postgresql'],
      describe: 'A PostgreSQL (15 or newer) to use instead of the embedded one; each service gets a database on it.',
    }),
    poolSize: integer({
      default: 10,
      min: 2,
      max: 200,
      describe:
        'Connections of each service at most. More serve more calls at once; all of them must fit on the server.',
    }),
  },
  bus: { transport: busSetting },
  ...callSections,
  resilience: resilienceSettings,
  log: {
    level: choice(['debug', 'info', 'warn', 'error'], {
      default: 'info',
      env: 'LOG_LEVEL',
      describe: 'Lines below this level are not written.',
    }),
    format: choice(['auto', 'json', 'pretty'], {
      default: 'auto',
      env: 'LOG_FORMAT',
      describe: 'json for machines, pretty for people; auto: pretty on a terminal.',
    }),
  },
  telemetry: {
    otlpEndpoint: url({
      optional: true,
      env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
      schemes: ['http', 'https'],
      describe: 'Base URL of an OpenTelemetry collector (OTLP over HTTP). Without it no span leaves the process.',
    }),
    sampleRatio: decimal({
      default: 1,
      min: 0,
      max: 1,
      describe: 'Part of the traces that begin here and are sent. Lower costs less; higher shows more.',
    }),
  },
  admin: {
    email: text({ default: 'admin@souk.local', describe: 'E-mail of the first administrator.' }),
    password: secret({
      optional: true,
      env: 'SOUK_ADMIN_PASSWORD',
      describe: 'Password of the first administrator; without it a random one is printed once, at the first start.',
    }),
  },
  demo: {
    products: integer({
      default: 1000,
      min: 0,
      max: 1_000_000,
      describe: 'Products made for an empty catalog at start; 0: none.',
    }),
    seed: integer({ default: 1, min: 0, describe: 'The same seed makes the same products.' }),
  },
  provider: {
    embedded: flag({
      default: true,
      describe: 'Run the demonstration payment provider beside the shop. Off: payments.providerUrl names another.',
    }),
  },
  smtp: {
    url: url({
      optional: true,
      env: 'SMTP_URL',
      schemes: ['smtp', 'smtps'],
      describe: 'Mail server for real e-mail. Without it mail goes to the built-in mailbox only.',
    }),
    from: text({ default: 'souk <shop@souk.local>', describe: 'Sender of e-mail.' }),
  },
};

type ServiceSections = { readonly [S in keyof ShopServices]: ShopServices[S]['settings'] };

const serviceSections = Object.fromEntries(
  Object.entries(createServices()).map(([name, { settings }]) => [name, settings]),
) as ServiceSections;

/** All settings: a section for each part of the process and each service. */
export const sections = { ...processSections, ...serviceSections };

export type ShopSettings = SettingsOf<typeof sections>;
