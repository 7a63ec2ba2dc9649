// Writes the histories of the version that is declared now. Only for a new version: those of a released one are never written again.

import { fileURLToPath } from 'node:url';
import { recordHistory } from '@souk/saga/testing';
import { remembered } from './place-order-runs.ts';

const folder = fileURLToPath(new URL('histories', import.meta.url));
for (const [label, run] of Object.entries(remembered)) await recordHistory(folder, label, await run());
