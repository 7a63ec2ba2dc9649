import type { Settings } from '@souk/config';
import { choice, duration, flag, integer, list, port, secret, text, url } from '@souk/config';
import { WEBHOOK_TYPES } from './webhook-event.ts';

export const providerSettings = {
  host: text({ default: '127.0.0.1', describe: 'Address to listen on.' }),
  port: port({ default: 0, describe: 'Port to listen on; 0 lets the system choose one.' }),
  file: text({
    default: ':memory:',
    describe: "File of the provider's ledger. ':memory:' forgets everything when the provider stops.",
  }),
  durability: choice(['normal', 'full'], {
    default: 'normal',
    describe:
      'normal: survives the end of the process at any point. full: survives a power cut too, at one fsync per request.',
  }),
  apiKey: secret({ describe: 'Key that clients send as bearer token.', minLength: 8 }),
  webhookUrl: url({
    optional: true,
    schemes: ['http', 'https'],
    describe: 'Where events are sent. Without it there are none.',
  }),
  webhookSecret: secret({ optional: true, describe: 'Secret that signs events.', minLength: 8 }),
  webhookEvents: list({
    default: [...WEBHOOK_TYPES],
    of: WEBHOOK_TYPES,
    describe: 'Types of events to send. Fewer: less traffic; more: a lost reply is repaired sooner.',
  }),
  webhookConcurrency: integer({ default: 4, min: 1, max: 64, describe: 'Events on their way at the same time.' }),
  webhookTimeout: duration({ default: '5s', min: '10ms', describe: 'Longest wait for the receiver of an event.' }),
  webhookRetry: duration({
    default: '1s',
    min: '1ms',
    describe: 'Wait before an event is sent again; doubled each time up to an hour, given up after three days.',
  }),
  webhookTwice: flag({ default: false, describe: 'Sends every event twice, as a provider may at any time.' }),
  slow: duration({ default: '2s', describe: 'How long a charge of tok_slow takes.' }),
};

export type ProviderSettings = Settings<typeof providerSettings>;
