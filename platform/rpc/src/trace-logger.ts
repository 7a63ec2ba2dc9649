import type { LogFields, Logger, TraceContext } from '@souk/kernel';

/** A logger whose lines name their trace. Most calls log nothing, so it is only made when the first line is written. */
export function traceLogger(log: Logger, trace: TraceContext, method: string): Logger {
  let bound: Logger | undefined;
  const logger = (): Logger => {
    bound ??= log.with({ traceId: trace.traceId, spanId: trace.spanId, method });
    return bound;
  };
  return {
    debug: (message: string, fields?: LogFields) => logger().debug(message, fields),
    info: (message: string, fields?: LogFields) => logger().info(message, fields),
    warn: (message: string, fields?: LogFields) => logger().warn(message, fields),
    error: (message: string, fields?: LogFields) => logger().error(message, fields),
    with: (fields: LogFields) => logger().with(fields),
  };
}
