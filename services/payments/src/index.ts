export { payments } from './service.ts';
