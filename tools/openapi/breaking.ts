// Says which changes of the contracts would break a caller, against another commit: node tools/openapi/breaking.ts [commit, default HEAD].
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
// The annotations come from a dependency, which no commit contains.
const ANNOTATIONS = 'node_modules/protobufjs/google/api';

const before = mkdtempSync(join(tmpdir(), 'souk-breaking-'));
try {
  const commit = process.argv[2] ?? 'HEAD';
  const tree = execFileSync('git', ['archive', '--format=tar', commit, 'buf.yaml', 'contracts/proto'], {
    cwd: ROOT,
    maxBuffer: 64 * 1024 * 1024,
  });
  execFileSync('tar', ['-xf', '-', '-C', before], { input: tree });
  cpSync(join(ROOT, ANNOTATIONS), join(before, ANNOTATIONS), { recursive: true });
  const buf = createRequire(import.meta.url).resolve('@bufbuild/buf/bin/buf');
  const { status } = spawnSync(process.execPath, [buf, 'breaking', '--against', before], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(before, { recursive: true, force: true });
}
