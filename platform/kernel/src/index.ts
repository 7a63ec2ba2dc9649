export { type BoundedQueue, createBoundedQueue } from './bounded-queue.ts';
export type { Brand } from './brand.ts';
export { CODES, type Code, isCode } from './code.ts';
export {
  ANONYMOUS,
  type Caller,
  type Context,
  type ContextChange,
  type RootContextInit,
  type Routing,
  rootContext,
} from './context.ts';
export {
  defineErrors,
  type ErrorCatalogue,
  type ErrorDefinition,
  type ErrorExtras,
  fromUnknown,
  kernelErrors,
  unreachable,
} from './error-catalogue.ts';
export { createIds, type Ids, isId } from './ids.ts';
export { createLifecycle, type Lifecycle, type Part } from './lifecycle.ts';
export { type LogFields, type Logger, silentLogger } from './logger.ts';
export { raceAbort } from './race-abort.ts';
export type { Random } from './random.ts';
export { type Runtime, systemRuntime } from './runtime.ts';
export {
  hasReason,
  isRetryable,
  isSoukError,
  type Retry,
  type RetryableError,
  SoukError,
  type SoukErrorInit,
  type Violation,
} from './souk-error.ts';
export type { Clock, Timer, Timers } from './time.ts';
export { newTrace, type TraceContext } from './trace-context.ts';
export { seededRandom, type VirtualRuntime, virtualRuntime } from './virtual-runtime.ts';
