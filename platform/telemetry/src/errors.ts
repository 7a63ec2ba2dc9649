import { defineErrors } from '@souk/kernel';

export const telemetryErrors = defineErrors('TELEMETRY', {
  METRIC_CONFLICT: { code: 'internal', text: 'metric {metric} is defined twice, differently: {why}' },
  METRIC_INVALID: { code: 'internal', text: 'metric {metric}: {why}' },
  COUNTER_DECREASED: { code: 'internal', text: 'counter {metric} cannot grow by {value}' },
  EXPORT_REFUSED: { code: 'invalid_argument', text: 'the collector refused the spans with status {status}' },
  EXPORT_UNAVAILABLE: { code: 'unavailable', text: 'the collector took no spans: {why}', retry: 'later' },
});
