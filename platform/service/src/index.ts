export { type Calls, defineService, type Deps, type HandlersOf, type Job, type ServiceDefinition } from './service.ts';
