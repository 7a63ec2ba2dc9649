import type { Contact } from '@souk/contracts/users/v1/users';
import type { Context } from '@souk/kernel';
import { hasReason } from '@souk/kernel';
import { currencyExponent } from '@souk/schema';
import type { Sql } from '@souk/store';
import type { ChannelName } from '../channels.ts';
import type { NotificationsDeps } from '../deps.ts';
import { moneyText } from '../domain/money-text.ts';
import { render } from '../domain/template.ts';
import { type Draft, insertNotifications, type Notification } from '../store/notification-repository.ts';
import { findPreferences, type Preferences } from '../store/preference-repository.ts';

/** What somebody is to be told. */
export interface Message {
  readonly userId: string;
  /** Empty when subject and body are given. */
  readonly template: string;
  readonly data: Readonly<Record<string, string>>;
  /** Instead of a template. */
  readonly text?: { readonly subject: string; readonly body: string };
  /** Only this channel; otherwise all the user wants. */
  readonly channel?: ChannelName;
  /** The same key is told once. */
  readonly dedupKey: string;
}

/** How a user is reached; undefined for one who is gone. Asked before a transaction, never inside. */
export async function findContact(ctx: Context, deps: NotificationsDeps, userId: string): Promise<Contact | undefined> {
  try {
    return await deps.calls.users.getContact(ctx, { userId });
  } catch (error) {
    if (hasReason(error, 'USERS_NOT_FOUND')) return undefined;
    throw error;
  }
}

/** Renders a message and stores it for each channel it goes out by. @returns the messages that were not there before */
export async function compose(
  sql: Sql,
  deps: NotificationsDeps,
  contact: Contact,
  message: Message,
): Promise<Notification[]> {
  const data = { displayName: contact.displayName, ...withAmount(message.data) };
  const { subject, body } = message.text ?? render(message.template, contact.locale, data);
  const { userId, template, dedupKey } = message;
  const preferences = await findPreferences(sql, userId);
  const drafts = draftsFor(deps, contact, preferences, message.channel);
  const now = new Date(deps.runtime.clock.now());
  return insertNotifications(sql, { userId, template, subject, body, dedupKey }, drafts, now);
}

const withAmount = (data: Readonly<Record<string, string>>): Record<string, string> => {
  const { currency, minorUnits } = data;
  if (currency === undefined || minorUnits === undefined) return { ...data };
  return { ...data, amount: moneyText(currency, minorUnits, currencyExponent(currency)) };
};

function draftsFor(
  deps: NotificationsDeps,
  contact: Contact,
  preferences: Preferences,
  only: ChannelName | undefined,
): Draft[] {
  const ways: readonly { channel: ChannelName; recipient: string; wanted: boolean }[] = [
    { channel: 'EMAIL', recipient: contact.email, wanted: preferences.email },
    { channel: 'SMS', recipient: contact.phone, wanted: preferences.sms },
    { channel: 'PUSH', recipient: contact.userId, wanted: preferences.push },
  ];
  return ways
    .filter(({ channel, recipient, wanted }) => recipient !== '' && (only === undefined ? wanted : channel === only))
    .map(({ channel, recipient, wanted }) => ({
      id: deps.runtime.ids.next('ntf'),
      channel,
      recipient,
      status: wanted ? (deps.parts.channels[channel] ? 'QUEUED' : 'SENT') : 'SUPPRESSED',
    }));
}
