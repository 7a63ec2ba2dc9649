import type { DescService } from '@bufbuild/protobuf';
import { DeadLetterAdminService } from '@souk/contracts/admin/v1/dead_letters';
import { JobAdminService } from '@souk/contracts/admin/v1/jobs';
import { ProjectionAdminService } from '@souk/contracts/admin/v1/projections';
import { ResilienceAdminService } from '@souk/contracts/admin/v1/resilience';
import { SagaAdminService } from '@souk/contracts/admin/v1/sagas';
import { createServices } from '../services.ts';

/** What operators call. */
export const ADMIN_CONTRACTS: readonly DescService[] = [
  JobAdminService,
  DeadLetterAdminService,
  SagaAdminService,
  ProjectionAdminService,
  ResilienceAdminService,
];

/** Under which name the process that serves operators is registered. */
export const OPERATOR_SERVICE = 'operator';

/** And that which takes requests from outside. */
export const EDGE_SERVICE = 'edge';

/** All contracts of a split shop, by the name of the service that serves them. */
export function contractsByService(): ReadonlyMap<string, readonly DescService[]> {
  const services = Object.values(createServices()).map(
    ({ name, serves }) => [name, serves as readonly DescService[]] as const,
  );
  return new Map([...services, [OPERATOR_SERVICE, ADMIN_CONTRACTS]]);
}
