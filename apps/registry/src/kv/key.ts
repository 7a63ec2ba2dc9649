import { kvErrors } from './errors.ts';

/** Longest key, in bytes of UTF-8. */
const MAX_KEY_BYTES = 2_048;
/** A key that is decoded again by whoever uses it as a path, and once more by the next. */
const DECODINGS = 4;

/**
 * Refuses keys that climb out of their folder when somebody makes a path of them: `..` between slashes, however often it is encoded. Any
 * other text is a key.
 * @throws REGISTRY_KV_BAD_KEY
 */
export function checkKey(key: string): void {
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw bad(`more than ${MAX_KEY_BYTES} bytes`);
  if (key.startsWith('/')) throw bad('it begins with a slash');
  let text = key;
  for (let round = 0; round < DECODINGS; round += 1) {
    if (hasControl(text)) throw bad('it holds a control character');
    if (/(?:^|[/\\])\.\.(?:$|[/\\])/.test(text)) throw bad('it climbs with ..');
    const decoded = decodeOnce(text);
    if (decoded === text) return;
    text = decoded;
  }
  throw bad('it is encoded too often');
}

const bad = (what: string) => kvErrors.BAD_KEY({ what });

const hasControl = (text: string): boolean => {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 32 || code === 127) return true;
  }
  return false;
};

/** Byte by byte: what is no valid encoding stays as it is. */
const decodeOnce = (text: string): string =>
  text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
