export type { Access, HttpRoute, Idempotency, MethodRules } from './method-rules.ts';
