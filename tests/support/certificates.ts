// Certificates for tests of TLS, made by openssl and good for two days.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** PEM, and the same as files. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly files: { readonly ca: string; readonly cert: string; readonly key: string };
  remove(): void;
}

/** An authority of its own, and one certificate by it for servers and clients of this machine. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'souk-certificates-'));
  const path = (name: string) => join(folder, name);
  const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost'];
  writeFileSync(path('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  openssl('req', '-x509', ...key, '-keyout', 'ca-key.pem', '-out', 'ca.pem', '-days', '2');
  openssl('req', ...key, '-keyout', 'key.pem', '-out', 'request.pem');
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
  openssl('x509', '-req', '-in', 'request.pem', '-out', 'cert.pem', ...signed);
  const read = (name: string) => readFileSync(path(name), 'utf8');
  return {
    ca: read('ca.pem'),
    cert: read('cert.pem'),
    key: read('key.pem'),
    files: { ca: path('ca.pem'), cert: path('cert.pem'), key: path('key.pem') },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
