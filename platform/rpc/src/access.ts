import type { Message } from '@bufbuild/protobuf';
import type { Caller } from '@souk/kernel';
import { rpcErrors } from './errors.ts';
import type { ServedMethod } from './routed-method.ts';

const ADMIN = 'admin';

/**
 * Refuses a caller whom the method's access rules keep out. Runs before the request is read: who may not call learns nothing of it.
 * Services may call everything; what they do for a user, they have checked.
 * @throws RPC_UNAUTHENTICATED, RPC_PERMISSION_DENIED
 */
export function admit(method: ServedMethod, caller: Caller): void {
  const { access } = method.rules;
  if (access === 'public' || caller.service !== undefined) return;
  if (caller.userId === undefined) throw rpcErrors.UNAUTHENTICATED();
  if (access === 'user') return;
  if (access === 'admin' && caller.roles.includes(ADMIN)) return;
  throw rpcErrors.PERMISSION_DENIED();
}

/**
 * Refuses a user who asks for what is another user's. An empty owner means the caller.
 * @throws RPC_PERMISSION_DENIED
 */
export function admitOwner(method: ServedMethod, caller: Caller, request: Message): void {
  const { ownerField } = method;
  if (ownerField === undefined || caller.service !== undefined) return;
  const owner = (request as unknown as Record<string, unknown>)[ownerField];
  if (!owner || owner === caller.userId || caller.roles.includes(ADMIN)) return;
  throw rpcErrors.PERMISSION_DENIED();
}
