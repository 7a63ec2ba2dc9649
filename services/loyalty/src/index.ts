export { loyalty } from './service.ts';
