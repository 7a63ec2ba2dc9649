import type { Random } from '@souk/kernel';
import type { Algorithm } from './algorithm.ts';
import { createLeastRequest } from './least-request.ts';
import { createMaglev } from './maglev.ts';
import { createPeakEwma } from './peak-ewma.ts';
import { createRandom } from './random.ts';
import { createRendezvous } from './rendezvous.ts';
import { createRingHash } from './ring-hash.ts';
import { createRoundRobin } from './round-robin.ts';
import type { AlgorithmName, BalancingSettings } from './settings.ts';
import { createSmoothWeighted } from './smooth-weighted.ts';

/** Whether the algorithm goes by the key: then everybody must come to the same instance, from whatever zone. */
export const goesByKey = (name: AlgorithmName): boolean =>
  name === 'rendezvous' || name === 'ringHash' || name === 'maglev';

export function createAlgorithm(settings: BalancingSettings, random: Random): Algorithm {
  switch (settings.algorithm) {
    case 'leastRequest':
      return createLeastRequest(random, settings.leastRequest);
    case 'peakEwma':
      return createPeakEwma(random, settings.peakEwma);
    case 'roundRobin':
      return createRoundRobin(random);
    case 'smoothWeighted':
      return createSmoothWeighted();
    case 'random':
      return createRandom(random);
    case 'rendezvous':
      return createRendezvous(random, settings.boundedLoad);
    case 'ringHash':
      return createRingHash(random, settings.ringHash, settings.boundedLoad);
    case 'maglev':
      return createMaglev(random, settings.maglev, settings.boundedLoad);
  }
}
