export { shipping } from './service.ts';
