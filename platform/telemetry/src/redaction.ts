export const REDACTED = '[redacted]';

/** Compared with keys in lower case and without `_`, `-` and `.`: `cardNumber`, `card_number` and `CARD-NUMBER` are one. */
const SENSITIVE = [
  'password',
  'passwd',
  'passphrase',
  'secret',
  'token',
  'authorization',
  'cookie',
  'credential',
  'apikey',
  'privatekey',
  'cardnumber',
  'cvc',
  'cvv',
  'iban',
  'email',
  'phone',
  'firstname',
  'lastname',
  'fullname',
  'username',
  'birth',
  'street',
  'postalcode',
  'shippingaddress',
  'billingaddress',
  'line1',
  'line2',
];

const REMEMBERED_KEYS = 2000;

/** True for names of fields whose value never belongs into logs or spans. Remembers what it has seen: keys come from code. */
export function createKeyGuard(): (key: string) => boolean {
  const known = new Map<string, boolean>();
  return (key) => {
    const answer = known.get(key);
    if (answer !== undefined) return answer;
    const plain = key.toLowerCase().replaceAll(/[_\-.\s]/g, '');
    const sensitive = SENSITIVE.some((word) => plain.includes(word));
    if (known.size < REMEMBERED_KEYS) known.set(key, sensitive);
    return sensitive;
  };
}

// Every repetition that can start anywhere has an upper bound: a hostile text must not make a log line slow.
const MAIL = /[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}/g;
const CREDENTIALS = /\b(bearer|basic)\s{1,8}[\w.~+/=-]{8,}/gi;
const JWT = /\beyJ[\w-]{8,4096}\.[\w-]{1,4096}\.[\w-]*/g;
const URL_PASSWORD = /(\w:\/\/[^\s:/@]{0,256}):[^\s/@]{1,256}@/g;
const CARD = /(?<![\w-])[3-6]\d{3}[ -]?\d{4,6}[ -]?\d{4,5}[ -]?\d{0,7}(?![\w-])/g;

/** The second line of defence: texts in which something personal or secret is recognised by its look. */
export const scrub = (text: string): string =>
  text
    .replace(URL_PASSWORD, `$1:${REDACTED}@`)
    .replace(MAIL, REDACTED)
    .replace(CREDENTIALS, `$1 ${REDACTED}`)
    .replace(JWT, REDACTED)
    .replace(CARD, (digits) => (isCardNumber(digits) ? REDACTED : digits));

/** Luhn's check, which nine of ten other numbers fail. */
function isCardNumber(text: string): boolean {
  const digits = text.replaceAll(/\D/g, '');
  if (digits.length < 13 || digits.length > 19) return false;
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (1 + (index % 2));
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}
