import { createServiceWatches, discoveryErrors, type Registry } from '@souk/discovery';
import { Announcer } from './announcer.ts';
import { Connection } from './connection.ts';
import { Feed } from './feed.ts';
import { type EtcdRegistryOptions, toSettings } from './options.ts';

/**
 * Discovery over etcd v3: an instance is a key, all keys of a process belong to one lease.
 *
 * @throws ETCD_INVALID_OPTION
 */
export function createEtcdRegistry(options: EtcdRegistryOptions): Registry {
  const settings = toSettings(options);
  const connection = new Connection(settings);
  const announcer = new Announcer(settings, connection);
  const feeds = new Map<string, Feed>();
  const watches = createServiceWatches({
    log: settings.log,
    begin: (service) => {
      const tell = watches.tell.bind(watches, service);
      feeds.set(service, new Feed(service, settings, connection, tell));
    },
    end: (service) => {
      feeds.get(service)?.close();
      feeds.delete(service);
    },
  });
  let closing: Promise<void> | undefined;
  const close = async () => {
    watches.close();
    await announcer.close();
    connection.close();
  };
  return {
    name: 'etcd',
    register: async (registration, conditions) => {
      if (closing !== undefined) throw discoveryErrors.CLOSED({ registry: 'etcd' });
      return announcer.register(registration, conditions);
    },
    watch: (service, listener) => watches.add(service, listener),
    health: () => connection.health(),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
