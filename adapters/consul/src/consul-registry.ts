import { checkRegistration, createServiceWatches, discoveryErrors, type Registry } from '@souk/discovery';
import { Announcement } from './announcement.ts';
import { createConsulApi } from './api.ts';
import { createHttpClient, type HttpClient } from './http-client.ts';
import { createLink } from './link.ts';
import { listen } from './listener.ts';
import { type ConsulRegistryOptions, type ConsulSettings, toSettings } from './options.ts';

/**
 * Instances by the HTTP API of Consul: of a Consul agent, or of our own registry.
 *
 * @throws CONSUL_INVALID_OPTION
 */
export function createConsulRegistry(options: ConsulRegistryOptions): Registry {
  const settings = toSettings(options);
  return registryOver(createHttpClient(settings), settings);
}

/** @param client Closed with the registry. */
export function registryOver(client: HttpClient, settings: ConsulSettings): Registry {
  const { runtime, log } = settings;
  const api = createConsulApi(client, settings);
  const link = createLink(runtime, log, api.server);
  const listening = new Map<string, { readonly abort: AbortController; readonly ended: Promise<void> }>();
  const announcements = new Set<Announcement>();
  const watches = createServiceWatches({
    log,
    begin: (service) => {
      const abort = new AbortController();
      const init = { api, link, settings, tell: watches.tell };
      listening.set(service, { abort, ended: listen(init, service, abort.signal) });
    },
    end: (service) => {
      listening.get(service)?.abort.abort();
      listening.delete(service);
    },
  });
  let closing: Promise<void> | undefined;

  const close = async (): Promise<void> => {
    link.close();
    const ended = [...listening.values()].map((one) => one.ended);
    watches.close();
    await Promise.all([...announcements].map((one) => one.deregister()));
    await Promise.all(ended);
    client.close();
  };

  return {
    name: 'consul',
    register: async (registration, conditions) => {
      if (closing !== undefined) throw discoveryErrors.CLOSED({ registry: 'consul' });
      checkRegistration(registration, conditions);
      const announcement = new Announcement({ api, link, settings }, registration, conditions);
      announcements.add(announcement);
      try {
        await announcement.start();
      } catch (thrown) {
        announcements.delete(announcement);
        throw thrown;
      }
      return {
        update: (next) => announcement.update(next),
        deregister: async () => {
          await announcement.deregister();
          announcements.delete(announcement);
        },
      };
    },
    watch: (service, listener) => watches.add(service, listener),
    health: link.health,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
