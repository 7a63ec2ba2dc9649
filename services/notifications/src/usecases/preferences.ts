import type { GetPreferencesRequest, UpdatePreferencesRequest } from '@souk/contracts/notifications/v1/notifications';
import type { Context } from '@souk/kernel';
import { checkEtag } from '@souk/service';
import type { NotificationsDeps } from '../deps.ts';
import { findPreferences, savePreferences } from '../store/preference-repository.ts';

export const getPreferences = (deps: NotificationsDeps) => async (ctx: Context, request: GetPreferencesRequest) => ({
  userId: request.userId,
  ...(await findPreferences(deps.db.at(ctx), request.userId)),
});

/** Sets every channel. */
export const updatePreferences =
  (deps: NotificationsDeps) => async (ctx: Context, request: UpdatePreferencesRequest) => {
    const { userId, email, sms, push } = request;
    const saved = await deps.db.tx(
      ctx,
      async (tx) => {
        checkEtag(request.etag, (await findPreferences(tx, userId)).version);
        return savePreferences(tx, userId, { email, sms, push });
      },
      { isolation: 'serializable' },
    );
    return { userId, ...saved };
  };
