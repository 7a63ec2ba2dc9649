import { registryErrors } from '../errors.ts';
import type { Fields } from '../http/fields.ts';
import { formatGoDuration } from '../http/go-duration.ts';
import type { Status } from '../state/catalog.ts';
import { isStatus } from '../state/status.ts';

/** What the registry asks to learn whether something works. All durations in milliseconds. */
export type Target =
  | {
      readonly kind: 'http';
      readonly url: string;
      readonly method: string;
      readonly headers: Readonly<Record<string, readonly string[]>>;
      readonly body: string;
      readonly skipVerify: boolean;
      readonly followRedirects: boolean;
    }
  | { readonly kind: 'tcp'; readonly address: string }
  | { readonly kind: 'grpc'; readonly address: string; readonly useTls: boolean; readonly skipVerify: boolean }
  | { readonly kind: 'script'; readonly args: readonly string[] };

/** A check that this registry looks after: it runs it, or waits for heartbeats. JSON, for the log. */
export interface CheckDefinition {
  readonly id: string;
  readonly name: string;
  readonly notes: string;
  /** Empty: of the node. */
  readonly serviceId: string;
  /** At first. */
  readonly status: Status;
  /** Heartbeats come at least so often. 0: the registry probes the target instead. */
  readonly ttlMs: number;
  readonly target: Target | undefined;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly successBeforePassing: number;
  readonly failuresBeforeWarning: number;
  readonly failuresBeforeCritical: number;
  /** Its instance is removed when it has been critical for so long. 0: never. Undefined: as the registry is set. */
  readonly deregisterAfterMs: number | undefined;
  readonly maxOutputBytes: number;
}

export interface CheckRules {
  /** Consecutive failures until a check that passed is critical, unless it says so itself. */
  readonly failuresBeforeCritical: number;
  readonly successBeforePassing: number;
  /** Scripts are commands of whoever can register: off unless all of those are trusted. */
  readonly scripts: boolean;
}

const SHORTEST_INTERVAL_MS = 1000;
const DEFAULT_TIMEOUT_MS = 10_000;
const SHORTEST_DEREGISTER_MS = 60_000;
const MAX_OUTPUT_BYTES = 4096;
const NOT_SPOKEN = ['UDP', 'H2PING', 'DockerContainerID', 'AliasService', 'AliasNode', 'OSService'];

/** True for a check that says nothing: clients send it for "none". */
export const isEmptyCheck = (fields: Fields): boolean =>
  !['TTL', 'Interval', 'HTTP', 'TCP', 'GRPC', 'Args', 'ScriptArgs', 'Script', 'Name', 'Status', ...NOT_SPOKEN].some(
    (name) => fields.has(name),
  );

/**
 * @param defaults For what the check does not name.
 * @throws REGISTRY_DECODE_FAILED, REGISTRY_INVALID_CHECK, REGISTRY_MALFORMED
 */
export function parseCheckDefinition(
  fields: Fields,
  defaults: { readonly id: string; readonly name: string; readonly serviceId: string },
  rules: CheckRules,
): CheckDefinition {
  const unknown = NOT_SPOKEN.find((name) => fields.has(name) && fields.text(name) !== '');
  if (unknown !== undefined) throw invalid(`${unknown} checks are not supported: use HTTP, TCP, GRPC or TTL`);
  const target = parseTarget(fields, rules);
  const intervalMs = fields.durationMs('Interval') ?? 0;
  const ttlMs = fields.durationMs('TTL') ?? 0;
  if (intervalMs > 0 && ttlMs > 0) throw invalid('Interval and TTL cannot both be specified');
  if (target !== undefined && intervalMs <= 0) {
    throw invalid('Interval must be > 0 for Script, HTTP, or TCP checks');
  }
  if (target === undefined && ttlMs <= 0) throw invalid('TTL must be > 0 for TTL checks');
  const timeoutMs = fields.durationMs('Timeout') ?? 0;
  const deregisterMs = fields.durationMs('DeregisterCriticalServiceAfter') ?? 0;
  const id = fields.text('CheckID') || fields.text('ID') || defaults.id;
  return {
    ...{ id, name: fields.text('Name') || defaults.name, notes: fields.text('Notes') },
    serviceId: defaults.serviceId,
    status: parseStatus(fields.text('Status')),
    ...{ ttlMs, target },
    intervalMs: target === undefined ? 0 : Math.max(SHORTEST_INTERVAL_MS, intervalMs),
    timeoutMs: timeoutMs > 0 ? timeoutMs : DEFAULT_TIMEOUT_MS,
    successBeforePassing: positive(fields, 'SuccessBeforePassing') ?? rules.successBeforePassing,
    failuresBeforeWarning: positive(fields, 'FailuresBeforeWarning') ?? Number.MAX_SAFE_INTEGER,
    failuresBeforeCritical: positive(fields, 'FailuresBeforeCritical') ?? rules.failuresBeforeCritical,
    deregisterAfterMs: deregisterMs > 0 ? Math.max(SHORTEST_DEREGISTER_MS, deregisterMs) : undefined,
    maxOutputBytes: positive(fields, 'OutputMaxSize') ?? MAX_OUTPUT_BYTES,
  };
}

function parseTarget(fields: Fields, { scripts }: CheckRules): Target | undefined {
  const url = fields.text('HTTP');
  const skipVerify = fields.flag('TLSSkipVerify');
  if (url !== '') {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw invalid('HTTP is no http or https URL');
    const method = (fields.text('Method') || 'GET').toUpperCase();
    if (!/^[A-Z]+$/.test(method)) throw invalid('Method is no HTTP method');
    const headers = fields.textsMap('Header');
    const followRedirects = !fields.flag('DisableRedirects');
    return { kind: 'http', url, method, headers, body: fields.text('Body'), skipVerify, followRedirects };
  }
  const tcp = fields.text('TCP');
  if (tcp !== '') return { kind: 'tcp', address: checkAddress(tcp, 'TCP') };
  const grpc = fields.text('GRPC');
  if (grpc !== '') {
    return { kind: 'grpc', address: checkAddress(grpc, 'GRPC'), useTls: fields.flag('GRPCUseTLS'), skipVerify };
  }
  const args = scriptOf(fields);
  if (args.length === 0) return undefined;
  if (!scripts) {
    throw invalid('Scripts are disabled on this agent; to enable, configure enable_script_checks to true');
  }
  return { kind: 'script', args };
}

function scriptOf(fields: Fields): readonly string[] {
  const args = fields.has('Args') ? fields.texts('Args') : fields.texts('ScriptArgs');
  const script = fields.text('Script');
  return script === '' ? args : ['/bin/sh', '-c', script];
}

function checkAddress(address: string, field: string): string {
  const port = Number(/:(\d{1,5})(\/|$)/.exec(address.replace(/^\[[^\]]*\]/, ''))?.[1]);
  if (!(port > 0 && port < 65_536)) throw invalid(`${field}: want host:port`);
  return address;
}

function parseStatus(text: string): Status {
  const status = text === '' ? 'critical' : text;
  if (isStatus(status)) return status;
  throw registryErrors.MALFORMED({ what: "Status for checks must 'passing', 'warning', 'critical'" });
}

function positive(fields: Fields, name: string): number | undefined {
  const value = fields.integer(name);
  return value > 0 ? value : undefined;
}

const invalid = (what: string) => registryErrors.INVALID_CHECK({ what });

/** As Consul's API shows it. Headers and bodies stay inside: they may hold credentials. */
export function definitionShape(definition: CheckDefinition): Readonly<Record<string, unknown>> {
  const { target, intervalMs, timeoutMs, ttlMs, deregisterAfterMs } = definition;
  return {
    ...(target === undefined
      ? { TTL: formatGoDuration(ttlMs) }
      : { Interval: formatGoDuration(intervalMs), Timeout: formatGoDuration(timeoutMs), ...targetShape(target) }),
    ...(deregisterAfterMs === undefined || deregisterAfterMs === 0
      ? {}
      : { DeregisterCriticalServiceAfter: formatGoDuration(deregisterAfterMs) }),
  };
}

function targetShape(target: Target): Readonly<Record<string, unknown>> {
  switch (target.kind) {
    case 'http':
      return { HTTP: target.url, Method: target.method, TLSSkipVerify: target.skipVerify };
    case 'tcp':
      return { TCP: target.address };
    case 'grpc':
      return { GRPC: target.address, GRPCUseTLS: target.useTls };
    case 'script':
      return {};
  }
}
