import { type ListUsersRequest, User_Status } from '@souk/contracts/users/v1/users';
import type { Context } from '@souk/kernel';
import { sha256 } from '@souk/security';
import { decodePageToken, encodePageToken, pageSize } from '@souk/service';
import { userMessage } from '../api/user-message.ts';
import type { UsersDeps } from '../deps.ts';
import { foldKey } from '../domain/identity.ts';
import { type AccountStatus, listAccounts } from '../store/account-repository.ts';

export const listUsers = (deps: UsersDeps) => async (ctx: Context, request: ListUsersRequest) => {
  const text = foldKey(request.query);
  const status = User_Status[request.status];
  // Page tokens end up in addresses and logs: what was searched for may be a person, so it is hashed.
  const list = `users ${status} ${sha256(text)}`;
  const limit = pageSize(request.pageSize);
  const found = await listAccounts(deps.db.at(ctx), {
    text,
    status: status === 'ACTIVE' || status === 'DELETED' ? (status satisfies AccountStatus) : undefined,
    before: decodePageToken(request.pageToken, list, 1)?.[0],
    limit: limit + 1,
  });
  const shown = found.slice(0, limit);
  const last = shown.at(-1);
  const nextPageToken = found.length > limit && last ? encodePageToken(list, [last.id]) : '';
  return { users: shown.map(userMessage), nextPageToken };
};
