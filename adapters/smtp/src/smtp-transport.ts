import type { Context } from '@souk/kernel';
import { createTransport } from 'nodemailer';
import { smtpErrors } from './errors.ts';

export interface SmtpOptions {
  /** `smtp://user:password@host:587` or `smtps://…`. */
  readonly url: string;
  /** Sender: `souk <shop@example.com>`. */
  readonly from: string;
  /** Connections at most. @default 2 */
  readonly connections?: number;
}

/** One message. Everything in it but the id is personal and never logged. */
export interface Mail {
  /** Becomes the Message-ID, so that a repeat can be recognised. */
  readonly id: string;
  readonly recipient: string;
  readonly subject: string;
  readonly body: string;
}

export interface SmtpTransport {
  /**
   * Resolves when the server has taken the message.
   * @throws SMTP_REFUSED for a message that will never be taken (status 5xx), SMTP_UNAVAILABLE (retry later) otherwise
   */
  send(ctx: Context, mail: Mail): Promise<void>;
  close(): void;
}

const CONNECT_MS = 5000;
const SILENCE_MS = 20_000;

/** Sends e-mail over SMTP. */
export function createSmtpTransport(options: SmtpOptions): SmtpTransport {
  const transport = createTransport(
    {
      url: options.url,
      pool: true,
      maxConnections: options.connections ?? 2,
      connectionTimeout: CONNECT_MS,
      greetingTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      // Bodies are ours, but file and URL access in a mail library is never wanted.
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from: options.from },
  );
  return {
    send: async (ctx, { id, recipient, subject, body }) => {
      ctx.throwIfDone();
      try {
        await transport.sendMail({
          to: { name: '', address: recipient },
          subject,
          text: body,
          messageId: `<${id}@souk>`,
        });
      } catch (cause) {
        const status = responseStatus(cause);
        if (status >= 500) throw smtpErrors.REFUSED({ status }, { cause });
        throw smtpErrors.UNAVAILABLE({}, { cause });
      }
    },
    close: () => transport.close(),
  };
}

const responseStatus = (cause: unknown): number => {
  const { responseCode } = cause as { responseCode?: unknown };
  return typeof responseCode === 'number' ? responseCode : 0;
};
