import {
  checkConditions,
  checkRegistration,
  createServiceWatches,
  discoveryErrors,
  type Registry,
} from '@souk/discovery';
import { Api } from './api.ts';
import { Feed } from './feed.ts';
import { Health } from './health.ts';
import { type KubernetesRegistryOptions, toSettings } from './options.ts';

/** Nobody is watched for under this name: it only finds out whether the API server is there. */
const NOBODY = 'souk-nobody';

/**
 * Discovery over the EndpointSlices of Kubernetes. Pods are registered by Kubernetes, by their Service's selector, and are ready, serving and
 * terminating as their probes and their deletion say: what a process registers here itself is checked and goes nowhere.
 *
 * @throws KUBERNETES_INVALID_OPTION
 */
export function createKubernetesRegistry(options: KubernetesRegistryOptions): Registry {
  const settings = toSettings(options);
  const { log, runtime } = settings;
  const api = new Api(settings);
  const health = new Health(runtime.clock, log);
  let closed = false;
  const feeds = new Map<string, Feed>();
  const ask = () => new Feed(NOBODY, { ...settings, servicesOf: () => [NOBODY] }, api, health, () => {});
  /** Asks while nobody else does. */
  let probe: Feed | undefined = ask();
  const watches = createServiceWatches({
    log,
    begin: (service) => {
      probe?.close();
      probe = undefined;
      feeds.set(service, new Feed(service, settings, api, health, (instances) => watches.tell(service, instances)));
    },
    end: (service) => {
      feeds.get(service)?.close();
      feeds.delete(service);
      if (feeds.size === 0 && !closed) probe = ask();
    },
  });
  return {
    name: 'kubernetes',
    register: async (registration, conditions) => {
      if (closed) throw discoveryErrors.CLOSED({ registry: 'kubernetes' });
      checkRegistration(registration, conditions);
      return {
        update: async (next) => checkConditions(registration, next),
        deregister: async () => {},
      };
    },
    watch: (service, listener) => watches.add(service, listener),
    health: () => health.read(),
    close: async () => {
      closed = true;
      watches.close();
      probe?.close();
      health.close();
      api.close();
    },
  };
}
