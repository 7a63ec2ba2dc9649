import { type BalancingSettings, parseBalancing } from '@souk/discovery';
import { fromUnknown, type Logger, type Timer, type Timers } from '@souk/kernel';

/** How calls are spread, by service; follows the settings while the process runs. */
export interface LiveBalancing {
  /** The same object until it changes. */
  of(service: string): BalancingSettings;
  close(): void;
}

export interface LiveBalancingInit {
  /** By service, or `*` for those that have no settings of their own. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Reads the settings again; undefined where nothing was changed. @default they stay as they are */
  readonly reload?: () => Promise<Readonly<Record<string, unknown>> | undefined>;
  readonly timers: Timers;
  readonly log: Logger;
}

const ANY = '*';
const LOOK_EVERY_MS = 2000;

/** @throws DISCOVERY_INVALID_OPTION */
export function createLiveBalancing({ settings, reload, timers, log }: LiveBalancingInit): LiveBalancing {
  let current = parseAll(settings);
  let text = JSON.stringify(settings);
  const defaults = parseBalancing({});
  const look = async (load: NonNullable<typeof reload>): Promise<void> => {
    try {
      const changed = await load();
      const changedText = JSON.stringify(changed);
      if (changed === undefined || changedText === text) return;
      current = parseAll(changed);
      text = changedText;
      log.info('calls are spread as the settings say now', { services: [...current.keys()].join(' ') });
    } catch (thrown) {
      log.warn('changed settings cannot be used: calls are spread as before', { err: fromUnknown(thrown) });
    }
  };
  const looking: Timer | undefined = reload && timers.every(LOOK_EVERY_MS, () => void look(reload));
  return {
    of: (service) => current.get(service) ?? current.get(ANY) ?? defaults,
    close: () => looking?.cancel(),
  };
}

const parseAll = (settings: Readonly<Record<string, unknown>>): ReadonlyMap<string, BalancingSettings> =>
  new Map(Object.entries(settings).map(([service, one]) => [service, parseBalancing(one)]));
