import { DeadLetterAdminService } from '@souk/contracts/admin/v1/dead_letters';
import { JobAdminService } from '@souk/contracts/admin/v1/jobs';
import { ProjectionAdminService } from '@souk/contracts/admin/v1/projections';
import { ResilienceAdminService } from '@souk/contracts/admin/v1/resilience';
import { SagaAdminService } from '@souk/contracts/admin/v1/sagas';
import type { Host } from '@souk/host';
import type { Runtime } from '@souk/kernel';
import type { Client, Router } from '@souk/rpc';
import type { Telemetry } from '@souk/telemetry';
import { deadLetterHandlers } from './dead-letters.ts';
import { jobHandlers } from './job-handlers.ts';
import { createJobs } from './jobs.ts';
import { projectionHandlers } from './projections.ts';
import { resilienceHandlers } from './resilience.ts';
import { onceEverywhere, resilienceEverywhere } from './resilience-everywhere.ts';
import { sagaHandlers } from './sagas.ts';

/** The operators' door: what they see of all services of this process, and what they can do to it. */
export interface Admin {
  /** Ends their jobs; what these have done stays done. */
  stop(): Promise<void>;
}

/** Serves the contracts of `souk.admin.v1` on the host's router. */
export function serveAdmin(init: {
  readonly host: Host;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  /** The doors to the policies of all processes. @default this one is the only one */
  readonly everywhere?: () => readonly Client<typeof ResilienceAdminService>[];
}): Admin {
  const { host, runtime, telemetry } = init;
  const jobs = createJobs({ runtime, log: telemetry.log });
  host.router.add(JobAdminService, jobHandlers(jobs), { telemetry });
  host.router.add(DeadLetterAdminService, deadLetterHandlers(host.operators, jobs), { telemetry });
  host.router.add(SagaAdminService, sagaHandlers({ operators: host.operators, jobs, runtime }), { telemetry });
  host.router.add(ProjectionAdminService, projectionHandlers(host.operators, jobs), { telemetry });
  if (init.everywhere === undefined) servePolicies(host.router, host, runtime, telemetry);
  else {
    const own = resilienceHandlers({ policies: host.policies, sharing: host.sharing, runtime });
    host.router.add(ResilienceAdminService, onceEverywhere(resilienceEverywhere(init.everywhere), own), { telemetry });
  }
  return { stop: jobs.stop };
}

/** Serves what operators see of the policies of this process. */
export function servePolicies(
  router: Router,
  { policies, sharing }: Pick<Host, 'policies' | 'sharing'>,
  runtime: Runtime,
  telemetry: Telemetry,
): void {
  router.add(ResilienceAdminService, resilienceHandlers({ policies, sharing, runtime }), { telemetry });
}
