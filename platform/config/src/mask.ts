export const MASK = '***';

const SECRET_PARAMETER = /pass|secret|token|key|credential/i;

/** A URL without what must not be read over a shoulder: its password, and parameters that sound like one. */
export function maskUrl(text: string): string {
  if (!URL.canParse(text)) return text.includes('@') ? MASK : text;
  const url = new URL(text);
  // `me:word@host` is a URL whose scheme is `me`, and has no password to find.
  if (url.host === '' && text.includes('@')) return MASK;
  if (url.password === '' && url.search === '') return text;
  if (url.password !== '') url.password = MASK;
  for (const name of [...url.searchParams.keys()]) {
    if (SECRET_PARAMETER.test(name)) url.searchParams.set(name, MASK);
  }
  return url.href;
}
