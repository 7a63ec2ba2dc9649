export { natsErrors } from './errors.ts';
export { createNatsBus } from './nats-bus.ts';
export type { NatsBusOptions } from './options.ts';
