import { fromUnknown, isRetryable, type Runtime } from '@souk/kernel';
import { telemetryErrors } from './errors.ts';
import { encodeSpans } from './otlp-json.ts';
import type { SpanExporter } from './span-record.ts';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface OtlpExporterOptions {
  readonly runtime: Runtime;
  /** Base URL of a collector, `http://localhost:4318`; spans go to `/v1/traces` below it. */
  readonly endpoint: string;
  readonly fetch: Fetch;
  /** Sent with each request, for example an authorization. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Attributes of the process, next to `service.name`. */
  readonly resource?: Readonly<Record<string, string>> | undefined;
  /** Told of spans that the collector answered it did not keep. */
  readonly onRejected?: (count: number) => void;
  /** Longest wait for one answer, in milliseconds. @default 10000 */
  readonly timeoutMs?: number;
}

const MAX_ATTEMPTS = 5;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** The only answers after which OTLP allows to repeat. */
const RETRYABLE = [429, 502, 503, 504];

/** Sends spans as OTLP over HTTP in JSON. Repeats with a growing, jittered wait, or the one the collector asks for. */
export function createOtlpExporter(options: OtlpExporterOptions): SpanExporter {
  const { runtime, fetch, resource = {}, timeoutMs = 10_000, onRejected = () => {} } = options;
  const url = `${options.endpoint.replace(/\/+$/, '')}/v1/traces`;
  const headers = { 'content-type': 'application/json', ...options.headers };

  const post = async (body: string, signal: AbortSignal): Promise<void> => {
    const limit = new AbortController();
    const timer = runtime.timers.after(timeoutMs, () => limit.abort());
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers,
        body,
        signal: AbortSignal.any([signal, limit.signal]),
        // A token for the collector must not follow it elsewhere.
        redirect: 'error',
      });
      const answer = await response.text();
      if (!response.ok) throw refusal(response);
      const rejected = rejectedSpans(answer);
      if (rejected > 0) onRejected(rejected);
    } finally {
      timer.cancel();
    }
  };

  return {
    export: async (spans, signal) => {
      const body = encodeSpans(spans, resource);
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await post(body, signal);
        } catch (thrown) {
          signal.throwIfAborted();
          const error = fromUnknown(thrown);
          const ours = error.reason.startsWith('TELEMETRY_')
            ? error
            : telemetryErrors.EXPORT_UNAVAILABLE({ why: 'there was no answer' }, { cause: thrown });
          if (!isRetryable(ours) || attempt === MAX_ATTEMPTS) throw ours;
          const asked = ours.retry.kind === 'later' ? ours.retry.afterMs : undefined;
          await runtime.timers.sleep(asked ?? wait(runtime, attempt), signal);
        }
      }
    },
  };
}

function refusal(response: Response) {
  const { status } = response;
  if (!RETRYABLE.includes(status)) return telemetryErrors.EXPORT_REFUSED({ status });
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const asked = Number.isFinite(seconds) ? { afterMs: Math.min(seconds * 1000, LONGEST_WAIT_MS) } : {};
  return telemetryErrors.EXPORT_UNAVAILABLE({ why: `status ${status}` }, asked);
}

const wait = ({ random }: Runtime, attempt: number): number =>
  Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1)) * (0.5 + random.next() / 2);

function rejectedSpans(answer: string): number {
  try {
    const { partialSuccess } = JSON.parse(answer) as { partialSuccess?: { rejectedSpans?: string | number } };
    return Number(partialSuccess?.rejectedSpans ?? 0) || 0;
  } catch {
    // Accepted, with an answer that says nothing: some collectors send an empty body.
    return 0;
  }
}
