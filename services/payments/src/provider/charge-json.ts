import type { ChargeStatus } from '../domain/payment.ts';
import type { ProviderCharge, ProviderRefund } from '../provider.ts';

type Json = Readonly<Record<string, unknown>>;

const STATUSES: readonly string[] = ['authorized', 'captured', 'voided', 'failed'] satisfies ChargeStatus[];

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const texts = (value: Json, ...names: string[]): boolean => names.every((name) => typeof value[name] === 'string');

const amounts = (value: Json, ...names: string[]): boolean =>
  names.every((name) => Number.isSafeInteger(value[name]) && (value[name] as number) >= 0);

/** A charge out of the provider's JSON; undefined when it is none. */
export function readCharge(value: unknown): ProviderCharge | undefined {
  if (!isObject(value) || !Array.isArray(value.refunds)) return undefined;
  const refunds = value.refunds.map(readRefund).filter((refund) => refund !== undefined);
  const valid =
    texts(value, 'id', 'idempotencyKey', 'currency', 'reference', 'failureCode') &&
    amounts(value, 'amount', 'captured', 'refunded') &&
    STATUSES.includes(value.status as string) &&
    refunds.length === value.refunds.length;
  if (!valid) return undefined;
  return {
    id: value.id as string,
    idempotencyKey: value.idempotencyKey as string,
    status: value.status as ChargeStatus,
    amount: BigInt(value.amount as number),
    captured: BigInt(value.captured as number),
    refunded: BigInt(value.refunded as number),
    currency: value.currency as string,
    reference: value.reference as string,
    failureCode: value.failureCode as string,
    refunds,
  };
}

export function readRefund(value: unknown): ProviderRefund | undefined {
  if (!isObject(value) || !texts(value, 'id', 'idempotencyKey') || !amounts(value, 'amount')) return undefined;
  if (value.status !== 'succeeded' && value.status !== 'failed') return undefined;
  return {
    id: value.id as string,
    idempotencyKey: value.idempotencyKey as string,
    amount: BigInt(value.amount as number),
    status: value.status,
  };
}

/** An event of the provider; undefined when it is none. */
export function readEvent(value: unknown): { id: string; type: string; charge: ProviderCharge } | undefined {
  if (!isObject(value) || !texts(value, 'id', 'type')) return undefined;
  const charge = readCharge(value.data);
  return charge && { id: value.id as string, type: value.type as string, charge };
}
