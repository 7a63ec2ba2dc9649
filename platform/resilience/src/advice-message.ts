import { type BreakerReport, REPORTED_STATES } from './breaker-advice.ts';
import { MAX_OVERRIDE_MS } from './breaker-operator.ts';
import { MAX_NAME, MAX_TEXT, OPERATOR_ACTIONS, type OperatorCommand } from './operator-commands.ts';

/** What travels between instances: plain data that survives JSON. */
export type AdviceMessage =
  | ({ readonly kind: 'report' } & BreakerReport)
  | ({
      readonly kind: 'command';
      /** Who passes it on, and by that says that it knows the command and acts on it. */
      readonly instance: string;
      /** Clocks differ, so what is left of its time travels, in milliseconds. */
      readonly remainingMs: number;
    } & OperatorCommand);

const isText = (value: unknown, max: number): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= max;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isAmount = (value: unknown, max: number): value is number =>
  typeof value === 'number' && value >= 0 && value <= max;
const isOneOf = <T>(list: readonly T[], value: unknown): value is T => list.includes(value as T);

/** Anything that came in, as a message that can be trusted in its form; undefined for garbage. Never throws. */
export function parseAdviceMessage(value: unknown): AdviceMessage | undefined {
  try {
    if (typeof value !== 'object' || value === null) return undefined;
    return parse({ ...value });
  } catch {
    // A getter or a proxy that throws is garbage like any other.
    return undefined;
  }
}

function parse(message: Record<string, unknown>): AdviceMessage | undefined {
  const { kind, key, instance } = message;
  if (!isText(key, MAX_NAME) || !isText(instance, MAX_NAME)) return undefined;
  if (kind === 'report') {
    const { state, generation, sample, seq, sinceMs } = message;
    const failureRate = message.failureRate ?? undefined;
    if (!isOneOf(REPORTED_STATES, state) || !isCount(generation) || !isCount(sample) || !isCount(seq)) return undefined;
    if (!isAmount(sinceMs, Number.MAX_SAFE_INTEGER)) return undefined;
    if (failureRate !== undefined && !isAmount(failureRate, 1)) return undefined;
    return { kind, key, instance, state, generation, sample, failureRate, seq, sinceMs };
  }
  if (kind === 'command') {
    const { action, version, owner, reason, remainingMs } = message;
    if (!isOneOf(OPERATOR_ACTIONS, action) || !isCount(version) || version === 0) return undefined;
    if (!isText(owner, MAX_TEXT) || !isText(reason, MAX_TEXT)) return undefined;
    if (!isAmount(remainingMs, MAX_OVERRIDE_MS)) return undefined;
    return { kind, key, instance, action, version, owner, reason, remainingMs };
  }
  return undefined;
}
