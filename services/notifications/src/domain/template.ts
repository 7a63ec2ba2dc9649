import { notificationErrors } from '../errors.ts';

interface Wording {
  readonly subject: string;
  readonly body: string;
}

/** `{name}` is replaced by the value of that name. English is what every template has. */
const TEMPLATES: Readonly<Record<string, Readonly<{ en: Wording } & Record<string, Wording>>>> = {
  welcome: {
    en: { subject: 'Welcome to souk', body: 'Hello {displayName},\n\nyour account is ready. Have a look around.\n' },
    de: {
      subject: 'Willkommen bei souk',
      body: 'Hallo {displayName},\n\nIhr Konto ist bereit. Viel Freude beim Stöbern.\n',
    },
  },
  'order-confirmed': {
    en: {
      subject: 'Your order is confirmed',
      body: 'Hello {displayName},\n\nyour order {orderId} over {amount} is confirmed and on its way to the parcel desk.\nYou have earned {points} points with it.\n',
    },
    de: {
      subject: 'Ihre Bestellung ist bestätigt',
      body: 'Hallo {displayName},\n\nIhre Bestellung {orderId} über {amount} ist bestätigt und wird gepackt.\nSie haben damit {points} Punkte gesammelt.\n',
    },
  },
  'order-rejected': {
    en: {
      subject: 'We could not take your order',
      body: 'Hello {displayName},\n\nwe could not take your order {orderId} ({reason}). Nothing was charged.\n',
    },
    de: {
      subject: 'Ihre Bestellung konnte nicht angenommen werden',
      body: 'Hallo {displayName},\n\nwir konnten Ihre Bestellung {orderId} nicht annehmen ({reason}). Es wurde nichts belastet.\n',
    },
  },
  'order-cancelled': {
    en: {
      subject: 'Your order is cancelled',
      body: 'Hello {displayName},\n\nyour order {orderId} over {amount} is cancelled. What was paid is given back, and its points are taken back.\n',
    },
    de: {
      subject: 'Ihre Bestellung ist storniert',
      body: 'Hallo {displayName},\n\nIhre Bestellung {orderId} über {amount} ist storniert. Gezahltes wird erstattet, ihre Punkte verfallen.\n',
    },
  },
  'order-shipped': {
    en: {
      subject: 'Your order is on its way',
      body: 'Hello {displayName},\n\nyour order {orderId} has left our house.\n',
    },
    de: {
      subject: 'Ihre Bestellung ist unterwegs',
      body: 'Hallo {displayName},\n\nIhre Bestellung {orderId} hat unser Haus verlassen.\n',
    },
  },
};

/**
 * @param locale A language tag; its language decides, English where we have no wording.
 * @param data Values by name. A name without a value becomes empty.
 * @throws NOTIFICATIONS_TEMPLATE_UNKNOWN
 */
export function render(template: string, locale: string, data: Readonly<Record<string, string>>): Wording {
  if (!Object.hasOwn(TEMPLATES, template)) {
    throw notificationErrors.TEMPLATE_UNKNOWN({ template, templates: Object.keys(TEMPLATES).join(', ') });
  }
  const wordings = TEMPLATES[template] as { en: Wording } & Record<string, Wording>;
  const language = locale.slice(0, 2).toLowerCase();
  const { subject, body } = Object.hasOwn(wordings, language) ? (wordings[language] as Wording) : wordings.en;
  return { subject: fill(subject, data), body: fill(body, data) };
}

const fill = (text: string, data: Readonly<Record<string, string>>): string =>
  text.replaceAll(/\{(\w+)\}/g, (_, name: string) => (Object.hasOwn(data, name) ? (data[name] as string) : ''));
