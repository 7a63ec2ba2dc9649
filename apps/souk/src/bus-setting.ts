import { type Setting, url } from '@souk/config';

/** Name of the database of the bus, where it wants one. */
export const BUS_DATABASE = 'bus';

/** Transports that need nothing but the setting's word. */
const WORDS: readonly unknown[] = ['in-process', 'postgres'];

const broker = url({ describe: '', schemes: ['nats', 'tls', 'amqp', 'amqps'] });

/** Which way events go: a word, or the URL of a broker. Its password is masked wherever it is printed. */
export const busSetting: Setting<string> = Object.freeze({
  ...broker,
  description:
    'Way of events between services. in-process: one process, no delay. postgres: any number of processes, over a database of their own. A URL: over NATS JetStream (nats://, tls://) or RabbitMQ (amqp://, amqps://).',
  fallback: 'in-process',
  allowed: `in-process, postgres or ${broker.allowed}`,
  env: ['SOUK_BUS'],
  parse: (raw: unknown) => (WORDS.includes(raw) ? (raw as string) : broker.parse(raw)),
});
