export { rabbitmqErrors } from './errors.ts';
export type { RabbitmqBusOptions } from './options.ts';
export { createRabbitmqBus } from './rabbitmq-bus.ts';
