import type { Context } from '@souk/kernel';

/** What is delivered. Everything in it but the id is personal. */
export interface OutgoingMessage {
  /** The same for every attempt: a transport that can should use it to recognise repeats. */
  readonly id: string;
  /** An e-mail address, a phone number in E.164, or a user's id for push. */
  readonly recipient: string;
  readonly subject: string;
  readonly body: string;
}

/** A way to reach people: SMTP, an SMS gateway, a push service. */
export interface Transport {
  /**
   * Hands the message over. Resolves when the other side has taken it.
   * @throws an error whose retry is `never` for a message that will never be taken; anything else is tried again
   */
  send(ctx: Context, message: OutgoingMessage): Promise<void>;
}

export type ChannelName = 'EMAIL' | 'SMS' | 'PUSH';

/** A channel without a transport delivers to the built-in mailbox, where messages are read over the API. */
export type Channels = Readonly<Partial<Record<ChannelName, Transport>>>;
