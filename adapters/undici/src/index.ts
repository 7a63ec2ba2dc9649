export { createHttpTransport, type HttpTransport, type Target } from './http-transport.ts';
export type { ClientTls, HttpTransportOptions } from './options.ts';
