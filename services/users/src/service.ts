import { UserDeletedSchema, UserRegisteredSchema, UserUpdatedSchema } from '@souk/contracts/users/v1/events';
import { AuthService, UserService } from '@souk/contracts/users/v1/users';
import { defineService } from '@souk/service';
import { usersSettings } from './config.ts';
import { calls } from './deps.ts';
import { createParts } from './parts.ts';
import { usersMigrations } from './store/migrations.ts';
import { checkUser } from './usecases/check-user.ts';
import { createUser } from './usecases/create-user.ts';
import { deleteUser } from './usecases/delete-user.ts';
import { ensureAdmin } from './usecases/ensure-admin.ts';
import { getContact } from './usecases/get-contact.ts';
import { getJwks } from './usecases/get-jwks.ts';
import { getUser } from './usecases/get-user.ts';
import { listUsers } from './usecases/list-users.ts';
import { login } from './usecases/login.ts';
import { logout } from './usecases/logout.ts';
import { refresh } from './usecases/refresh.ts';
import { sweep } from './usecases/sweep.ts';
import { updateUser } from './usecases/update-user.ts';

/** Accounts, profiles, sign-in and the keys that access tokens are signed with. */
export const users = defineService({
  name: 'users',
  serves: [UserService, AuthService],
  calls,
  publishes: [UserRegisteredSchema, UserUpdatedSchema, UserDeletedSchema],
  settings: usersSettings,
  migrations: usersMigrations,
  parts: createParts,
  start: (deps) => {
    deps.schedule({ name: 'sweep', everyMs: deps.settings.sweepEvery, run: sweep(deps) });
    return {
      createUser: createUser(deps),
      getUser: getUser(deps),
      updateUser: updateUser(deps),
      deleteUser: deleteUser(deps),
      listUsers: listUsers(deps),
      checkUser: checkUser(deps),
      getContact: getContact(deps),
      ensureAdmin: ensureAdmin(deps),
      login: login(deps),
      refresh: refresh(deps),
      logout: logout(deps),
      getJwks: getJwks(deps),
    };
  },
});
