// Metrics of a shop, however many processes it has.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Shop {
  readonly url: string;
  readonly folder: string;
}

/** The pages of all processes, one behind the other. */
export async function allMetrics(shop: Shop): Promise<string> {
  const pages = await Promise.all((await origins(shop)).map(async (url) => (await fetch(`${url}/metrics`)).text()));
  return pages.join('\n');
}

async function origins({ url, folder }: Shop): Promise<readonly string[]> {
  const [supervisor, here] = [join(folder, 'supervisor.json'), join(folder, 'processes.json')];
  if (existsSync(here)) return JSON.parse(readFileSync(here, 'utf8')) as string[];
  if (!existsSync(supervisor)) return [url];
  const control = JSON.parse(readFileSync(supervisor, 'utf8')) as { url: string };
  const token = readFileSync(join(folder, 'operator-token'), 'utf8').trim();
  const response = await fetch(`${control.url}/processes`, { headers: { authorization: `Bearer ${token}` } });
  const processes = (await response.json()) as readonly { readonly url?: string }[];
  return processes.flatMap((one) => one.url ?? []);
}
