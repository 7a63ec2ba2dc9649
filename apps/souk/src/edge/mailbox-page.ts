import { timestampDate } from '@bufbuild/protobuf/wkt';
import {
  type MailboxMessage,
  Notification_Channel,
  Notification_Status,
} from '@souk/contracts/notifications/v1/notifications';
import { escapeHtml, layout } from './pages.ts';

/** What customers were told, as a page. */
export function mailboxPage(messages: readonly MailboxMessage[]): string {
  const letters = messages.map(letter).join('');
  return layout(
    'Mailbox',
    `<h1>Mailbox</h1><p class="soft">Everything the shop has told its customers, newest first. It stands in for mail servers and phones.</p>
     ${letters || '<p>Nothing yet: place an order.</p>'}`,
  );
}

/** For somebody who reached the shop by another name, or through a proxy. */
export const mailboxElsewherePage = (): string =>
  layout(
    'Mailbox',
    `<h1>Mailbox</h1><p>It shows personal data, so it opens on the machine of the shop alone, as <code>localhost</code>. The setting
     <code>http.devPages</code> opens it to everybody.</p>`,
  );

function letter({ notification, recipient }: MailboxMessage): string {
  if (notification === undefined) return '';
  const { channel, status, subject, body, createdAt } = notification;
  const at = createdAt ? timestampDate(createdAt).toISOString() : '';
  return `<article><h2>${escapeHtml(subject)}</h2>
    <p class="soft">${escapeHtml(Notification_Channel[channel])} to ${escapeHtml(recipient)} · ${escapeHtml(Notification_Status[status])} · ${at}</p>
    <pre>${escapeHtml(body)}</pre></article>`;
}
