import type { IncomingHttpHeaders } from 'node:http';
import type { MailboxMessage } from '@souk/contracts/notifications/v1/notifications';
import openApi from '@souk/contracts/openapi.json' with { type: 'json' };
import type { HttpProtocol } from '@souk/rpc';
import { METRICS_CONTENT_TYPE } from '@souk/telemetry';
import { docsPage } from './docs-page.ts';
import { mailboxElsewherePage, mailboxPage } from './mailbox-page.ts';
import { html, json, type Page, pages } from './pages.ts';
import { welcomePage } from './welcome-page.ts';

export interface ShopPagesOptions {
  /** Whether calls may be sent here. */
  readonly isReady: () => boolean;
  /** Whether events can travel. While they cannot, they wait, and the shop goes on taking orders. */
  readonly busState: () => string;
  readonly exposition: () => string;
  /** Left out where personal data must not be shown to anybody. */
  readonly readMailbox: (() => Promise<readonly MailboxMessage[]>) | undefined;
  /** Who may see the mailbox, by the headers of the request. */
  readonly mayReadMailbox: (headers: IncomingHttpHeaders) => boolean;
}

/** What is served besides the calls of contracts. */
export function shopPages(options: ShopPagesOptions): HttpProtocol {
  const { readMailbox, mayReadMailbox } = options;
  let docs: string | undefined;
  const byPath: Record<string, Page> = {
    '/': () => html(welcomePage()),
    '/docs': () => {
      docs ??= docsPage(openApi);
      return html(docs);
    },
    '/openapi.json': () => json(openApi),
    '/health/live': () => json({ status: 'live' }),
    '/health/ready': () =>
      options.isReady() ? json({ status: 'ready', bus: options.busState() }) : json({ status: 'not ready' }, 503),
    '/metrics': () => ({
      status: 200,
      headers: { 'content-type': METRICS_CONTENT_TYPE, 'cache-control': 'no-store' },
      body: options.exposition(),
    }),
  };
  if (readMailbox) {
    byPath['/dev/mailbox'] = async (_query, headers) =>
      mayReadMailbox(headers) ? html(mailboxPage(await readMailbox())) : html(mailboxElsewherePage(), 403);
  }
  return pages(byPath);
}
