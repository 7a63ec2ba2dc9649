import { rpcErrors } from './errors.ts';

/** What one method may take. */
export interface MethodLimits {
  /** Largest message that is accepted, in bytes, uncompressed. @default the server's own: 1 MiB */
  readonly maxMessageBytes?: number;
  /** Calls of the method at work at once; one more is refused. @default 1000 for streams, no limit for single calls */
  readonly maxConcurrent?: number;
  /** Longest life of a stream in milliseconds, whatever its caller asks for. @default the contract's timeout, or one hour */
  readonly maxStreamMs?: number;
  /**
   * Milliseconds for which the caller of a stream may keep us waiting: for a message that the handler wants, or with a message that it does
   * not take. A stream that has nothing to say is not idle. @default 300000
   */
  readonly idleMs?: number;
}

const NAMES: readonly string[] = [
  'maxMessageBytes',
  'maxConcurrent',
  'maxStreamMs',
  'idleMs',
] satisfies (keyof MethodLimits)[];

/**
 * Reads limits as people write them: `{"souk.orders.v1.OrderService/WatchOrder": {"maxConcurrent": 100}}`.
 * @throws RPC_BAD_LIMITS for what is none
 */
export function parseMethodLimits(given: Readonly<Record<string, unknown>>): Readonly<Record<string, MethodLimits>> {
  for (const [method, limits] of Object.entries(given)) {
    if (!/^[\w.]+\/\w+$/.test(method))
      throw rpcErrors.BAD_LIMITS({
        method,
        why: 'want the name of a method, as in souk.orders.v1.OrderService/PlaceOrder',
      });
    if (typeof limits !== 'object' || limits === null || Array.isArray(limits))
      throw rpcErrors.BAD_LIMITS({ method, why: `want an object with any of ${NAMES.join(', ')}` });
    for (const [name, value] of Object.entries(limits)) {
      if (!NAMES.includes(name))
        throw rpcErrors.BAD_LIMITS({ method, why: `there is no ${name}, only ${NAMES.join(', ')}` });
      if (!Number.isSafeInteger(value) || (value as number) < 1)
        throw rpcErrors.BAD_LIMITS({ method, why: `${name} must be a whole number of at least 1` });
    }
  }
  return given as Readonly<Record<string, MethodLimits>>;
}

/** The calls of a method that are at work. */
export interface Gate {
  /** @returns what to call, once, when the work has settled @throws RPC_TOO_MANY_CALLS */
  enter(): () => void;
}

export function createGate(method: string, limit: number): Gate {
  let inside = 0;
  return {
    enter: () => {
      if (inside >= limit) throw rpcErrors.TOO_MANY_CALLS({ method, limit });
      inside += 1;
      let left = false;
      return () => {
        if (!left) inside -= 1;
        left = true;
      };
    },
  };
}
