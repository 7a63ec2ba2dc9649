import { type Context, raceAbort } from '@souk/kernel';
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
   * Resolves when the server has taken the message. When `ctx` ends first, the server may still take it.
   * @throws SMTP_REFUSED for a message that will never be taken (status 5xx for it), SMTP_UNAVAILABLE (retry later) for whatever else goes
   * wrong, a refused sign-in among it; what ended `ctx`
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
        const taken = transport.sendMail({
          to: { name: '', address: recipient },
          subject,
          text: body,
          messageId: `<${id}@souk>`,
        });
        await raceAbort(taken, ctx.signal);
      } catch (cause) {
        ctx.throwIfDone();
        const status = refusal(cause);
        if (status !== undefined) throw smtpErrors.REFUSED({ status }, { cause });
        throw smtpErrors.UNAVAILABLE({}, { cause });
      }
    },
    close: () => transport.close(),
  };
}

/** What nodemailer calls a refusal of sender or recipient, and of the message itself; others are about the connection or the sign-in. */
const ABOUT_THE_MESSAGE: readonly unknown[] = ['EENVELOPE', 'EMESSAGE'];

function refusal(cause: unknown): number | undefined {
  const { code, responseCode } = cause as { code?: unknown; responseCode?: unknown };
  const refused = ABOUT_THE_MESSAGE.includes(code) && typeof responseCode === 'number' && responseCode >= 500;
  return refused ? responseCode : undefined;
}
