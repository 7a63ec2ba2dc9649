import type { Status } from '../state/catalog.ts';
import type { TargetGuard } from './target-guard.ts';

export interface ProbeOptions {
  readonly signal: AbortSignal;
  readonly guard: TargetGuard;
  /** Most of a body that becomes output. */
  readonly maxBytes: number;
}

export interface ProbeResult {
  readonly status: Status;
  /** For people. */
  readonly output: string;
}

/** `host:port`, also `[::1]:80`. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const end = address.lastIndexOf(':');
  return { host: address.slice(0, end).replace(/^\[|\]$/g, ''), port: Number(address.slice(end + 1)) };
}
