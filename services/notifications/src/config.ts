import { duration, integer } from '@souk/config';

export const notificationsSettings = {
  deliverEvery: duration({
    default: '1s',
    describe: 'Gap between looks for messages that are due. Only used for channels with a transport.',
  }),
  attempts: integer({
    default: 8,
    min: 1,
    max: 50,
    describe:
      'Attempts to deliver a message before it counts as failed; the wait doubles from 5 seconds up to an hour.',
  }),
};
