export { testkitErrors } from './errors.ts';
export { callersOf, type FakeCall, type FakeServiceOptions, fakeService } from './fake-service.ts';
export { createLogBook, type LogBook } from './log-book.ts';
export {
  createServiceWorld,
  type MadeCall,
  migrationsOf,
  type PublishedEvent,
  type ServiceWorldOptions,
} from './service-world.ts';
