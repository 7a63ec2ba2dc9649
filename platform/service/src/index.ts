export { actorOf, mayActFor, subjectOf } from './caller.ts';
export { serviceErrors } from './errors.ts';
export { checkEtag } from './etag.ts';
export { decodePageToken, encodePageToken, pageSize } from './page.ts';
export {
  type Calls,
  type Deps,
  defineService,
  type EventStoreInit,
  type EventStoreParts,
  type HandlersOf,
  type Job,
  type ServiceDefinition,
} from './service.ts';
