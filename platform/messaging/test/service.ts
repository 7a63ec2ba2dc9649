import assert from 'node:assert/strict';
import type { DescMessage } from '@bufbuild/protobuf';
import { systemRuntime } from '@souk/kernel';
import type { PolicyRegistry } from '@souk/resilience';
import { silentTelemetry } from '@souk/telemetry';
import type { TestDatabase } from '../../../tests/support/database.ts';
import {
  type Bus,
  createMessaging,
  type Messaging,
  type MessagingOptions,
  type ServiceSubscription,
} from '../src/index.ts';
import { ClosedSchema, CountedSchema } from './events.ts';

export interface TestServiceInit {
  readonly on: TestDatabase;
  readonly bus: Bus;
  readonly service?: string;
  readonly publishes?: readonly DescMessage[];
  readonly subscriptions?: readonly ServiceSubscription[];
  readonly options?: Partial<MessagingOptions>;
  readonly policies?: PolicyRegistry;
}

/** Messaging of a service, in a hurry. */
export const testService = ({ on, bus, ...init }: TestServiceInit): Messaging =>
  createMessaging({
    service: init.service ?? 'bazaar',
    db: on.db,
    bus,
    runtime: on.runtime,
    telemetry: silentTelemetry(on.runtime),
    publishes: init.publishes ?? [CountedSchema, ClosedSchema],
    subscriptions: init.subscriptions ?? [],
    policies: init.policies,
    options: { pollMs: 40, leaseMs: 4000, drainMs: 2000, statsMs: 50, ...init.options },
  });

/** Waits for something that is under way in the database. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 15_000,
): Promise<void> {
  const { clock, timers } = systemRuntime();
  const endMs = clock.monotonicMs() + limitMs;
  while (!(await condition())) {
    assert.ok(clock.monotonicMs() < endMs, `never came: ${what}`);
    await timers.sleep(5);
  }
}

export const publishCounted = (
  on: TestDatabase,
  { publisher }: Messaging,
  key: string,
  number: number,
): Promise<void> => on.db.tx(on.ctx, (tx) => publisher.publish(tx, CountedSchema, { key, number }));
