import { type Logger, type Runtime, silentLogger } from '@souk/kernel';
import { kubernetesErrors } from './errors.ts';

/** Times in milliseconds. */
export interface KubernetesRegistryOptions {
  readonly runtime: Runtime;
  readonly log?: Logger;
  /** `https://kubernetes.default.svc`, or `http://127.0.0.1:8001` behind `kubectl proxy`. */
  readonly apiUrl: string;
  /** Of a service account that may list and watch endpointslices. A function is asked before each request: tokens are renewed while a pod runs. */
  readonly token?: string | (() => string | Promise<string>);
  /** PEM: whom to trust. @default what the system trusts */
  readonly ca?: string;
  readonly namespace: string;
  /** Names of the Services in Kubernetes whose pods make up one of ours, one per version for example. @default the service's own name */
  readonly servicesOf?: (service: string) => readonly string[];
  /** Name of the port that takes calls. @default `http` or `https`, or else the first */
  readonly portName?: string;
  /** Which address of a pod with several is taken. @default ['IPv4', 'IPv6', 'FQDN'] */
  readonly addressTypes?: readonly AddressType[];
  /** Longest wait for an answer. @default 10000 */
  readonly callMs?: number;
  /** A watch is begun anew after so long, up to half as long again. Lower: a dead connection is noticed sooner. @default 120000 */
  readonly watchMs?: number;
}

export type AddressType = 'IPv4' | 'IPv6' | 'FQDN';

export type KubernetesSettings = Required<Omit<KubernetesRegistryOptions, 'ca' | 'token' | 'portName' | 'apiUrl'>> & {
  readonly apiUrl: URL;
  readonly token: (() => string | Promise<string>) | undefined;
  readonly ca: string | undefined;
  readonly portName: string | undefined;
};

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** @throws KUBERNETES_INVALID_OPTION */
export function toSettings(options: KubernetesRegistryOptions): KubernetesSettings {
  const { runtime, token, ca, namespace, portName, callMs = 10_000, watchMs = 120_000 } = options;
  const wrong = (option: string, wanted: string, found: string | number) =>
    kubernetesErrors.INVALID_OPTION({ option, wanted, found });
  const apiUrl = URL.canParse(options.apiUrl) ? new URL(options.apiUrl) : undefined;
  if (apiUrl === undefined || !/^https?:$/.test(apiUrl.protocol) || apiUrl.username !== '' || apiUrl.password !== '') {
    throw wrong('apiUrl', 'http://host:port or https://host:port, without credentials', 'something else');
  }
  if (!NAME.test(namespace)) throw wrong('namespace', 'the name of a namespace', namespace);
  for (const [option, found] of Object.entries({ callMs, watchMs })) {
    if (!(found > 0)) throw wrong(option, 'more than 0', found);
  }
  const settings: KubernetesSettings = {
    runtime,
    apiUrl,
    ca,
    namespace,
    portName,
    callMs,
    watchMs,
    token: typeof token === 'string' ? () => token : token,
    log: (options.log ?? silentLogger).with({ registry: 'kubernetes' }),
    servicesOf: options.servicesOf ?? ((service: string) => [service]),
    addressTypes: options.addressTypes ?? ['IPv4', 'IPv6', 'FQDN'],
  };
  return Object.freeze(settings);
}
