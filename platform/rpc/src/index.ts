export type { CallOptions, Client } from './client.ts';
export type { Handler, Handlers } from './handler.ts';
export type { Transport, WireRequest, WireResponse } from './wire.ts';
