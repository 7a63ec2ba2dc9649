import { type Code, type Retry, SoukError, type Violation } from '@souk/kernel';

/** All of an error that may leave a process. There is no place for a cause. */
export interface WireError {
  readonly code: Code;
  readonly reason: string;
  readonly message: string;
  readonly retry: Retry;
  readonly httpStatus?: number | undefined;
  readonly violations: readonly Violation[];
  readonly details: Readonly<Record<string, string>>;
}

export const toWireError = (error: SoukError): WireError => ({
  code: error.code,
  reason: error.reason,
  message: error.message,
  retry: error.retry,
  httpStatus: error.httpStatus,
  violations: error.violations,
  details: error.details,
});

export const fromWireError = (wire: WireError): SoukError => new SoukError(wire);
