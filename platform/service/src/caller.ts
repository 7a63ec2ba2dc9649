import type { Context } from '@souk/kernel';
import { serviceErrors } from './errors.ts';

/**
 * True when the caller may see and change what belongs to `ownerId`: the owner, an administrator, or a service on nobody's
 * behalf.
 */
export function mayActFor(ctx: Context, ownerId: string): boolean {
  const { userId, roles, service } = ctx.caller;
  if (userId === undefined) return service !== undefined;
  return userId === ownerId || roles.includes('admin');
}

/**
 * The user a request is about: the one it names, else the caller.
 * @throws SERVICE_SIGN_IN_REQUIRED when it names nobody and nobody is signed in
 */
export function subjectOf(ctx: Context, requestedUserId: string): string {
  const userId = requestedUserId || ctx.caller.userId;
  if (userId === undefined) throw serviceErrors.SIGN_IN_REQUIRED();
  return userId;
}

/** Who did it, for histories and audit trails: a user's id, or a service's name, or `anonymous`. */
export const actorOf = (ctx: Context): string => ctx.caller.userId ?? ctx.caller.service ?? 'anonymous';
