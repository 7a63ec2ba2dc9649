import { isCountry } from './country.ts';
import { isCurrency } from './currency.ts';

/** A named format of a string. Every test takes time linear in the string, whose length was checked before. */
export interface Format {
  readonly test: (value: string) => boolean;
  readonly wanted: string;
}

const LOCAL_PART = /^[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~.-]{1,64}$/u;
const DOMAIN_LABEL = /^[\p{L}\p{N}\p{M}-]{1,63}$/u;
const LOCALE = /^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$/;
const WEB_ADDRESS = /^https?:\/\/[^\s\\]+$/i;

/** What mail systems accept in practice (RFC 5321 without quoted local parts and address literals; letters of any script). */
function isEmail(value: string): boolean {
  const at = value.lastIndexOf('@');
  if (at < 1 || value.length > 320) return false;
  const local = value.slice(0, at);
  if (!LOCAL_PART.test(local) || local.startsWith('.') || local.endsWith('.') || local.includes('..')) return false;
  const domain = value.slice(at + 1);
  if (domain.length > 253) return false;
  const labels = domain.split('.');
  return (
    labels.length > 1 &&
    labels.every((label) => DOMAIN_LABEL.test(label) && !label.startsWith('-') && !label.endsWith('-'))
  );
}

const FORMATS: ReadonlyMap<string, Format> = new Map([
  ['email', { test: isEmail, wanted: 'must be an e-mail address' }],
  ['currency', { test: isCurrency, wanted: 'must be a currency code of ISO 4217, such as EUR' }],
  ['country', { test: isCountry, wanted: 'must be a country code of ISO 3166-1 alpha-2, such as DE' }],
  [
    'uri',
    { test: (value) => WEB_ADDRESS.test(value) && URL.canParse(value), wanted: 'must be an http or https address' },
  ],
  ['locale', { test: (value) => LOCALE.test(value), wanted: 'must be a locale, such as en or de-AT' }],
]);

export const formatNamed = (name: string): Format | undefined => FORMATS.get(name);
