import type { KeySettings } from './settings.ts';

/** What a transport knows of a call that a key can be made of. */
export interface KeySources {
  readonly subject?: string | undefined;
  readonly address?: string | undefined;
  /** @param name In lower case. */
  header?(name: string): string | undefined;
}

/** The key that a call sticks by. @returns undefined when the call has none: any instance is as good */
export function stickyKey(settings: KeySettings, call: KeySources): string | undefined {
  switch (settings.from) {
    case 'none':
      return undefined;
    case 'subject':
      return call.subject || undefined;
    case 'address':
      return call.address || undefined;
    case 'header':
      return call.header?.(settings.name.toLowerCase()) || undefined;
    default:
      return cookie(call.header?.('cookie'), settings.name);
  }
}

function cookie(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const at = pair.indexOf('=');
    if (at !== -1 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim() || undefined;
  }
  return undefined;
}
