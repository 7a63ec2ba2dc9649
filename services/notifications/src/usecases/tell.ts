import type { Context } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import type { NotificationsDeps } from '../deps.ts';
import { compose, findContact } from './compose.ts';

/** What an event says, in the words of a template. */
export interface Told {
  readonly userId: string;
  /** What the event is about: told once per template. */
  readonly about: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** Tells the user of an event. */
export const tell =
  <TEvent>(template: string, told: (event: TEvent) => Told) =>
  (deps: NotificationsDeps) =>
  async (ctx: Context, event: TEvent, delivery: Delivery) => {
    const { userId, about, data = {} } = told(event);
    const contact = await findContact(ctx, deps, userId);
    if (contact === undefined) return;
    const dedupKey = `${about}/${template}`;
    await delivery.once((tx) => compose(tx, deps, contact, { userId, template, data, dedupKey }));
  };
