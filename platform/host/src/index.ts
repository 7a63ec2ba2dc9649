export type { AnyService } from './any-service.ts';
export { hostErrors } from './errors.ts';
export { forwarding } from './forward.ts';
export { createHost, type Host, type HostOptions } from './host.ts';
export {
  createHttpServer,
  type HttpHandler,
  type HttpServer,
  type HttpServerOptions,
  type TlsOptions,
} from './http-server.ts';
export { createMembership, type Membership, type MembershipInit } from './membership.ts';
export { createHostPolicies, type HostPolicies, type HostPoliciesInit } from './policies.ts';
export type { ServiceOperators, StuckTeller } from './service-operators.ts';
export { checkSplitSafety, type SplitSafetyInit, splitProblems } from './split-safety.ts';
