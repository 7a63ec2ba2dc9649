import { duration, integer, secret, text, url } from '@souk/config';

export const paymentsSettings = {
  providerName: text({
    default: 'simulator',
    pattern: /[a-z0-9-]{1,64}/,
    describe: 'Name of the payment provider, as in the path of its webhooks.',
  }),
  providerUrl: url({
    default: 'http://127.0.0.1:8090',
    schemes: ['http', 'https'],
    describe: 'Where the payment provider listens.',
  }),
  providerApiKey: secret({
    optional: true,
    describe: 'Our key at the payment provider. Not needed with the built-in one, which makes its own at every start.',
  }),
  webhookSecrets: secret({
    optional: true,
    describe:
      "Secrets that sign the provider's webhooks: the live ones, separated by commas. Without one, webhooks are refused.",
  }),
  webhookTolerance: duration({
    default: '300s',
    min: '1s',
    describe: 'How old a webhook may be. Shorter: less time to replay one; longer: more room for clocks that differ.',
  }),
  connectTimeout: duration({ default: '1s', min: '10ms', describe: 'Longest wait for a connection to the provider.' }),
  callTimeout: duration({
    default: '3s',
    min: '10ms',
    describe:
      'Longest wait for one answer of the provider. Shorter: a silent provider is asked again sooner; longer: fewer doubts.',
  }),
  maxConnections: integer({ default: 64, min: 1, max: 1000, describe: 'Connections to the provider at most.' }),
  resolveEvery: duration({
    default: '2s',
    min: '10ms',
    describe: 'Gap between looks for outcomes that are not known.',
  }),
  resumeAfter: duration({
    default: '30s',
    min: '10ms',
    describe: 'What was begun and has no outcome for so long is taken up by whoever looks: longer than any call takes.',
  }),
  abandonAfter: duration({
    default: '1m',
    min: '10ms',
    describe:
      'A called-off charge that the provider does not know for so long was never made: longer than any call takes.',
  }),
  reconcileEvery: duration({
    default: '24h',
    min: '1s',
    describe: "Gap between comparisons with the provider's ledger.",
  }),
  reconcileWindow: duration({
    default: '2d',
    min: '1m',
    describe: 'How far back a comparison looks when nobody says.',
  }),
};
