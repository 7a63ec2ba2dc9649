import type { SoukError } from '@souk/kernel';

/** These say that the moment was bad, whatever the error thinks of a repeat. */
const MOMENTARY: ReadonlySet<string> = new Set([
  'canceled',
  'deadline_exceeded',
  'unavailable',
  'aborted',
  'resource_exhausted',
]);

/** Whether the same events would fail again. */
export const isPermanent = (error: SoukError): boolean => error.retry.kind === 'never' && !MOMENTARY.has(error.code);

/** For operators. What a foreign error says may hold data of persons: only its kind and where it was thrown are told; the log has the rest. */
export function describeFailure(error: SoukError): string {
  const { cause } = error;
  if (error.reason !== 'SOUK_INTERNAL' || !(cause instanceof Error)) return `${error.reason}: ${error.message}`;
  const place = /([\w.-]+\.[cm]?[jt]s:\d+)/.exec(
    cause.stack?.split('\n').find((line) => /^\s+at /.test(line)) ?? '',
  )?.[1];
  return `${cause.name}${place === undefined ? '' : ` at ${place}`}`;
}
