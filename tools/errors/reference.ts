// The page docs/reference/errors.md.

import type { Catalogue, CatalogueEntry } from './catalogues.ts';

const HEAD = `# Errors

Written by \`node tools/errors/main.ts\` from the error catalogues of the packages: change those, not this page.

Every error has a **reason**, which never changes its meaning, and one of sixteen codes, those of gRPC. Over REST it is an
\`application/problem+json\` (RFC 9457) with the reason as \`code\`; over Connect the reason is in \`google.rpc.ErrorInfo\`. The text is for people
and may change.

| retry | means |
|---|---|
| never | the same call fails again |
| later | nothing happened; the same call may succeed later |
| unknown outcome | it may have happened; repeat it only if it is idempotent or carries an idempotency key |
`;

const ORDER = ['services', 'apps', 'platform', 'adapters'];
const RETRIES: Readonly<Record<string, string>> = { unknownOutcome: 'unknown outcome' };

export function errorReference(catalogues: readonly Catalogue[]): string {
  const rank = ({ dir }: Catalogue): number => ORDER.indexOf(dir.split('/')[0] as string);
  const sorted = [...catalogues].sort((a, b) => rank(a) - rank(b) || (a.dir < b.dir ? -1 : 1));
  return `${[HEAD, ...sorted.map(section)].join('\n')}`;
}

const section = ({ dir, entries }: Catalogue): string =>
  `## ${dir}\n\n| reason | code | REST | retry | text |\n|---|---|---|---|---|\n${entries.map(row).join('')}`;

const row = ({ reason, code, status, retry, text }: CatalogueEntry): string =>
  `| \`${reason}\` | ${code} | ${status} | ${RETRIES[retry] ?? retry} | ${text.replaceAll('|', '\\|')} |\n`;
