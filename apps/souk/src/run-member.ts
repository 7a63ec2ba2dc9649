import type { Socket } from 'node:net';
import process from 'node:process';
import { systemRuntime } from '@souk/kernel';
import { createTelemetryHub } from '@souk/telemetry';
import { loadShopSettings, readShopFile } from './load-shop-settings.ts';
import { createMember, type MemberOptions } from './member.ts';
import type { Message } from './topology/child.ts';

export interface RunMemberInit {
  readonly roles: readonly string[];
  readonly instance: string;
  /** `--section.name=value`. */
  readonly flags: readonly string[];
  /** What a test puts around calls and events. */
  readonly around?: Pick<MemberOptions, 'interceptors' | 'aroundBus'>;
}

/**
 * Runs a process of the shop until it is told to stop, or whoever started it is gone. Tells that one when it is ready, and takes connections from
 * it.
 */
export async function runMember({ roles, instance, flags, around = {} }: RunMemberInit): Promise<void> {
  const { values, folder, serviceUrls } = await loadShopSettings(flags);
  let seen = (await readShopFile())?.text;
  /** Reads all settings only when the file is another, so a mistake in it is told once. */
  const reloadBalancing = async () => {
    const text = (await readShopFile())?.text;
    if (text === seen) return undefined;
    seen = text;
    return (await loadShopSettings(flags)).values.calls.balancing;
  };
  const runtime = systemRuntime();
  const telemetry = createTelemetryHub({
    runtime,
    level: values.log.level,
    format: values.log.format === 'pretty' ? 'pretty' : 'json',
    colour: false,
    otlpEndpoint: values.telemetry.otlpEndpoint,
    sampleRatio: values.telemetry.sampleRatio,
  });
  const member = createMember({
    settings: values,
    folder,
    runtime,
    telemetry,
    serviceUrls,
    roles,
    instance,
    reloadBalancing,
    ...around,
  });
  const asked = Promise.withResolvers<void>();
  process.on('SIGTERM', () => asked.resolve());
  // Ctrl-C reaches all processes of a terminal; who started us says in which order they leave.
  process.on('SIGINT', () => process.send === undefined && asked.resolve());
  process.on('disconnect', () => asked.resolve());
  process.on('message', (message: Message, socket?: Socket) => {
    // A connection whose other end has gone meanwhile arrives without its socket.
    if (message.kind === 'connection' && socket !== undefined) member.outside?.accept(socket);
  });
  // Timers of ours do not keep a process alive.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    const facts = await Promise.race([member.start(), asked.promise]);
    if (facts) {
      process.send?.({ kind: 'ready', facts } satisfies Message);
      await asked.promise;
    }
  } finally {
    await member.stop();
    await telemetry.close();
    clearInterval(alive);
    if (process.connected) process.disconnect?.();
  }
}
