import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { User_Status } from '@souk/contracts/users/v1/users';
import type { Account } from '../store/account-repository.ts';

export const userMessage = (account: Account) => ({
  id: account.id,
  email: account.email ?? '',
  username: account.username ?? '',
  roles: [...account.roles],
  status: User_Status[account.status],
  version: account.version,
  createdAt: timestampFromDate(account.created_at),
  updatedAt: timestampFromDate(account.updated_at),
  ...(account.status === 'ACTIVE' && { profile: account.profile, preferences: account.preferences }),
});
